//! What a call that fails is answered, in the words of Supabase Storage: mostly a 400, whose body names the status that is meant.

use axum::response::Response;
use hyper::StatusCode;
use serde_json::json;

use crate::gateway::json_response;

/// An error as the platform tells it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    error: &'static str,
    code: &'static str,
    message: String,
}

impl Refusal {
    fn new(
        status: u16,
        error: &'static str,
        code: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            status,
            error,
            code,
            message: message.into(),
        }
    }

    pub(super) fn no_bucket() -> Self {
        Self::new(404, "Bucket not found", "NoSuchBucket", "Bucket not found")
    }

    pub(super) fn no_object() -> Self {
        Self::new(404, "not_found", "NoSuchKey", "Object not found")
    }

    pub(super) fn exists() -> Self {
        Self::new(
            409,
            "Duplicate",
            "KeyAlreadyExists",
            "The resource already exists",
        )
    }

    pub(super) fn denied(message: impl Into<String>) -> Self {
        Self::new(403, "Unauthorized", "AccessDenied", message)
    }

    pub(super) fn bad_key(key: &str) -> Self {
        Self::new(
            400,
            "InvalidKey",
            "InvalidKey",
            format!("Invalid key: {key}"),
        )
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "InvalidRequest", "InvalidRequest", message)
    }

    pub(super) fn bad_type(kind: &str) -> Self {
        Self::new(
            415,
            "invalid_mime_type",
            "InvalidMimeType",
            format!("mime type {kind} is not supported"),
        )
    }

    pub(super) fn too_large() -> Self {
        Self::new(
            413,
            "Payload too large",
            "EntityTooLarge",
            "The object exceeded the maximum allowed size",
        )
    }

    pub(super) fn bad_signature(message: &'static str) -> Self {
        Self::new(400, "InvalidSignature", "InvalidSignature", message)
    }

    pub(super) fn bad_token(message: &'static str) -> Self {
        Self::new(400, "InvalidJWT", "InvalidJWT", message)
    }

    pub(super) fn internal(message: &'static str) -> Self {
        Self::new(500, "InternalError", "InternalError", message)
    }

    /// The platform has it, and the local stack does not.
    pub(super) fn not_here(message: &'static str) -> Self {
        Self::new(404, "NotSupported", "NotSupported", message)
    }

    /// What the database refused, for whoever asked as themselves.
    pub(super) fn of_database(error: sqlx::Error) -> Self {
        let Some(error) = error.as_database_error() else {
            return Self::internal("The database was not reached.");
        };
        match error.code().as_deref() {
            Some("23505") => Self::exists(),
            Some("23503") => Self::no_bucket(),
            Some("42501") => Self::denied(error.message()),
            Some("55P03") => Self::new(
                423,
                "ResourceLocked",
                "ResourceLocked",
                "The resource is locked",
            ),
            _ => Self::new(500, "DatabaseError", "DatabaseError", error.message()),
        }
    }

    pub(super) fn into_response(self) -> Response {
        let status = match self.status {
            500 => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        };
        let body = json!({
            "statusCode": self.status.to_string(),
            "error": self.error,
            "code": self.code,
            "message": self.message,
        });
        json_response(status, &body)
    }
}

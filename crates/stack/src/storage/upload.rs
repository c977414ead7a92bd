//! What is uploaded: a file in a form, as browsers send it, or bare bytes.

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::body::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap};
use serde_json::Value;

use super::refusal::Refusal;

/// A file with what is said of it.
#[derive(Debug, PartialEq)]
pub(super) struct Upload {
    pub(super) bytes: Bytes,
    pub(super) kind: String,
    pub(super) cache_control: String,
    /// What the app keeps with it.
    pub(super) metadata: Option<Value>,
}

impl Upload {
    /// Reads it from a request.
    pub(super) async fn read(headers: &HeaderMap, body: Bytes) -> Result<Self, Refusal> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let kind = text(CONTENT_TYPE.as_str()).unwrap_or("application/octet-stream");
        if let Ok(boundary) = multer::parse_boundary(kind) {
            return Self::of_form(body, boundary)
                .await
                .ok_or_else(|| Refusal::invalid("No content provided"));
        }
        let metadata = text("x-metadata").and_then(|text| STANDARD.decode(text).ok());
        Ok(Self {
            bytes: body,
            kind: kind.to_owned(),
            cache_control: text(CACHE_CONTROL.as_str())
                .unwrap_or("no-cache")
                .to_owned(),
            metadata: metadata.and_then(|text| serde_json::from_slice(&text).ok()),
        })
    }

    async fn of_form(body: Bytes, boundary: String) -> Option<Self> {
        let stream = Body::from(body).into_data_stream();
        let mut form = multer::Multipart::new(stream, boundary);
        let (mut file, mut cache, mut metadata, mut kind) = (None, None, None, None);
        while let Some(field) = form.next_field().await.ok()? {
            let name = field.name().unwrap_or_default().to_owned();
            let is_file = field.file_name().is_some() || name.is_empty();
            match name.as_str() {
                _ if is_file => {
                    let kind = field.content_type().map(ToString::to_string);
                    file = Some((kind, field.bytes().await.ok()?));
                }
                "cacheControl" => cache = field.text().await.ok(),
                "contentType" => kind = field.text().await.ok(),
                "metadata" | "userMetadata" => {
                    let text = field.text().await.ok()?;
                    metadata = serde_json::from_str(&text).ok();
                }
                _ => {}
            }
        }
        let (its_kind, bytes) = file?;
        Some(Self {
            bytes,
            kind: kind
                .or(its_kind)
                .unwrap_or_else(|| "application/octet-stream".to_owned()),
            cache_control: cache.map_or_else(
                || "no-cache".to_owned(),
                |seconds| format!("max-age={seconds}"),
            ),
            metadata,
        })
    }

    /// Whether a bucket takes it.
    pub(super) fn check(&self, limit: usize, kinds: Option<&[String]>) -> Result<(), Refusal> {
        if let Some(kinds) = kinds.filter(|kinds| !kinds.is_empty())
            && !kinds.iter().any(|known| is_of(&self.kind, known))
        {
            return Err(Refusal::bad_type(&self.kind));
        }
        match self.bytes.len() > limit {
            true => Err(Refusal::too_large()),
            false => Ok(()),
        }
    }
}

/// Whether a type, such as image/png, is one that is allowed, such as image/*.
fn is_of(kind: &str, known: &str) -> bool {
    match (kind.split_once('/'), known.split_once('/')) {
        (Some((a, b)), Some((c, d))) => a == c && (d == "*" || b == d),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;
    use serde_json::json;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let one = |(name, value): &(&'static str, &str)| {
            let name = hyper::header::HeaderName::from_static(name);
            (name, HeaderValue::from_str(value).unwrap())
        };
        pairs.iter().map(one).collect()
    }

    #[tokio::test]
    async fn bare_bytes_are_of_the_type_that_their_header_says() {
        let metadata = STANDARD.encode(r#"{"page":1}"#);
        let headers = headers(&[
            ("content-type", "image/png"),
            ("cache-control", "max-age=60"),
            ("x-metadata", &metadata),
        ]);
        let upload = Upload::read(&headers, Bytes::from_static(b"png"))
            .await
            .unwrap();
        assert_eq!(
            (&*upload.kind, &*upload.cache_control),
            ("image/png", "max-age=60")
        );
        assert_eq!(upload.metadata, Some(json!({"page": 1})));
        let upload = Upload::read(&HeaderMap::new(), Bytes::new()).await.unwrap();
        assert_eq!(upload.kind, "application/octet-stream");
    }

    #[tokio::test]
    async fn a_form_has_one_file_and_what_is_said_of_it() {
        let form = "--x\r\nContent-Disposition: form-data; name=\"cacheControl\"\r\n\r\n3600\r\n\
             --x\r\nContent-Disposition: form-data; name=\"metadata\"\r\n\r\n{\"page\":1}\r\n\
             --x\r\nContent-Disposition: form-data; name=\"\"; filename=\"a.pdf\"\r\nContent-Type: application/pdf\r\n\r\nPDF\r\n--x--\r\n";
        let headers = headers(&[("content-type", "multipart/form-data; boundary=x")]);
        let upload = Upload::read(&headers, Bytes::from_static(form.as_bytes()))
            .await
            .unwrap();
        assert_eq!(
            upload,
            Upload {
                bytes: Bytes::from_static(b"PDF"),
                kind: "application/pdf".to_owned(),
                cache_control: "max-age=3600".to_owned(),
                metadata: Some(json!({"page": 1})),
            }
        );
        for broken in ["", "--x\r\n", "--x--\r\n", "PDF"] {
            let refused = Upload::read(&headers, Bytes::from_static(broken.as_bytes())).await;
            assert_eq!(refused.unwrap_err().status, 400, "{broken:?}");
        }
    }

    #[test]
    fn a_bucket_takes_what_it_says_it_takes() {
        let upload = |kind: &str| Upload {
            bytes: Bytes::from_static(b"1234"),
            kind: kind.to_owned(),
            cache_control: String::new(),
            metadata: None,
        };
        let kinds = ["application/pdf".to_owned(), "image/*".to_owned()];
        for (kind, status) in [
            ("application/pdf", None),
            ("image/heic", None),
            ("text/html", Some(415)),
            ("image", Some(415)),
            ("application/pdfx", Some(415)),
        ] {
            let told = upload(kind).check(4, Some(&kinds)).err();
            assert_eq!(told.map(|refusal| refusal.status), status, "{kind}");
        }
        assert_eq!(upload("text/html").check(4, None), Ok(()));
        assert_eq!(upload("text/html").check(4, Some(&[])), Ok(()));
        let told = upload("text/html").check(3, None).unwrap_err();
        assert_eq!(told.status, 413);
    }
}

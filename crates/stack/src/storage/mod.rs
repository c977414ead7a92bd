//! Supabase Storage where no real one is: uploads, downloads, signed addresses, lists and removals, over the calls that supabase-js
//! makes and with the answers of the platform. Who may do what is said by the policies on `storage.objects`, which the database
//! is asked with the user's own claims. A file is kept below `.interlock` under its version, which is never written twice.

mod refusal;
mod upload;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use axum::body::Body;
use axum::response::Response;
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE,
    ETAG, EXPIRES, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH, LAST_MODIFIED,
};
use hyper::{Method, StatusCode};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde_json::{Value, json};
use sqlx::postgres::PgPoolOptions;
use sqlx::{PgPool, Postgres, Transaction};
use uuid::Uuid;

use crate::gateway::{Unread, decode, json_response, read_body};
use crate::jwt::Refused;
use refusal::Refusal;
use upload::Upload;

/// The platform's bound for a file where a bucket has none of its own, or a higher one.
const FILE_LIMIT: usize = 50 * 1024 * 1024;
/// What a form has beside its file, at most.
const FORM_LIMIT: usize = 64 * 1024;
/// More than any other body takes.
const BODY_LIMIT: usize = 1024 * 1024;
/// What signed addresses are signed with: not what tokens are, so that neither passes for the other.
const SIGNING_SECRET: &str = "local-stand-in-for-the-key-that-signs-addresses-of-files";
/// How many files one request names.
const MOST_FILES: usize = 1_000;

/// What the stack has, and what it has not.
const NOT_HERE: &str = "The local stack's Storage uploads, downloads, signs, lists and removes files in buckets: it copies and moves none, has no resumable uploads, and changes no pictures.";

/// Keeps files.
pub(crate) struct Storage {
    pool: PgPool,
    folder: PathBuf,
}

/// A call whose body is not read yet.
pub(crate) struct Call<'a> {
    pub(crate) method: &'a Method,
    /// Behind `/storage/v1`, as it was sent.
    pub(crate) path: &'a str,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) headers: &'a HeaderMap,
    /// What its token says.
    pub(crate) caller: Option<Result<Value, Refused>>,
}

/// What a call is for.
#[derive(Debug, PartialEq, Eq)]
enum Wish {
    Upload {
        bucket: String,
        name: String,
        upsert: bool,
    },
    Download {
        bucket: String,
        name: String,
    },
    DownloadPublic {
        bucket: String,
        name: String,
    },
    DownloadSigned {
        bucket: String,
        name: String,
    },
    Info {
        bucket: String,
        name: String,
    },
    Sign {
        bucket: String,
        name: String,
    },
    SignMany {
        bucket: String,
    },
    List {
        bucket: String,
    },
    Remove {
        bucket: String,
    },
    RemoveOne {
        bucket: String,
        name: String,
    },
    Buckets,
    Bucket {
        bucket: String,
    },
    MakeBucket,
}

/// A bucket, as far as an upload has to know it.
struct Bucket {
    is_public: bool,
    limit: usize,
    kinds: Option<Vec<String>>,
}

tokio::task_local! {
    /// The headers of the call that is answered, which the platform's storage has in `request.headers`, as the API does.
    static HEADERS: String;
}

fn as_setting(headers: &HeaderMap) -> String {
    let headers: BTreeMap<&str, &str> = headers
        .iter()
        .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
        .collect();
    json!(headers).to_string()
}

impl Storage {
    /// At the database with this address, with files in that folder.
    pub(crate) fn new(db_url: &str, folder: PathBuf) -> Result<Self> {
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        let pool = PgPoolOptions::new()
            .max_connections(8)
            .acquire_timeout(Duration::from_secs(5))
            .connect_lazy(db_url)?;
        Ok(Self { pool, folder })
    }

    /// Answers a call.
    pub(crate) async fn answer(&self, call: &Call<'_>, body: Incoming) -> Response {
        let wish = wish(call);
        let limit = match &wish {
            Ok(Wish::Upload { .. }) => FILE_LIMIT + FORM_LIMIT,
            _ => BODY_LIMIT,
        };
        // Also of what is refused: who still sends may not hear it.
        let body = read_body(body, limit).await.map_err(|unread| match unread {
            Unread::TooLarge => Refusal::too_large(),
            Unread::Incomplete => Refusal::invalid("The body was announced and did not come."),
        });
        let answered = match (wish, body) {
            (Ok(wish), Ok(body)) => {
                let granted = self.grant(call, wish, body.into());
                HEADERS.scope(as_setting(call.headers), granted).await
            }
            (Err(refusal), _) | (_, Err(refusal)) => Err(refusal),
        };
        answered.unwrap_or_else(Refusal::into_response)
    }

    async fn grant(&self, call: &Call<'_>, wish: Wish, body: Bytes) -> Result<Response, Refusal> {
        match wish {
            Wish::Upload {
                bucket,
                name,
                upsert,
            } => self.upload(call, &bucket, &name, upsert, body).await,
            Wish::Download { bucket, name } => {
                let found = self.bucket(&bucket).await?;
                let row = match (&call.caller, found.is_public) {
                    (_, true) => self.find(&shop(), &bucket, &name).await?,
                    (Some(Ok(claims)), false) => self.find(claims, &bucket, &name).await?,
                    // Nobody is told what there would be for somebody.
                    _ => return Err(Refusal::no_bucket()),
                };
                self.file(call, &row, None).await
            }
            Wish::DownloadPublic { bucket, name } => {
                if !self.bucket(&bucket).await?.is_public {
                    return Err(Refusal::no_bucket());
                }
                let row = self.find(&shop(), &bucket, &name).await?;
                self.file(call, &row, None).await
            }
            Wish::DownloadSigned { bucket, name } => {
                let token = call.query.get("token").map_or("", String::as_str);
                let ends = verify(token, &bucket, &name)?;
                let row = self.find(&shop(), &bucket, &name).await?;
                self.file(call, &row, Some(ends)).await
            }
            Wish::Info { bucket, name } => {
                let row = self.find(claims_of(call)?, &bucket, &name).await?;
                let metadata = &row["metadata"];
                Ok(ok(&json!({
                    "id": row["id"], "name": row["name"], "version": row["version"], "bucket_id": row["bucket_id"],
                    "size": metadata["size"], "content_type": metadata["mimetype"], "cache_control": metadata["cacheControl"],
                    "etag": metadata["eTag"], "metadata": row["user_metadata"], "last_modified": row["updated_at"],
                    "created_at": row["created_at"],
                })))
            }
            Wish::Sign { bucket, name } => {
                let seconds = expires_in(&read_json(&body)?)?;
                self.find(claims_of(call)?, &bucket, &name).await?;
                let address = sign(&bucket, &name, seconds)?;
                Ok(ok(&json!({"signedURL": address})))
            }
            Wish::SignMany { bucket } => {
                let params = read_json(&body)?;
                let seconds = expires_in(&params)?;
                let mut signed = Vec::new();
                for name in names(&params, "paths")? {
                    let address = match self.find(claims_of(call)?, &bucket, &name).await {
                        Ok(_) => Some(sign(&bucket, &name, seconds)?),
                        Err(refusal) if refusal.status == 500 => return Err(refusal),
                        Err(_) => None,
                    };
                    let error = address.is_none().then_some(
                        "Either the object does not exist or you do not have access to it",
                    );
                    signed.push(json!({"error": error, "path": name, "signedURL": address}));
                }
                Ok(ok(&Value::Array(signed)))
            }
            Wish::List { bucket } => {
                let params = read_json(&body)?;
                self.list(claims_of(call)?, &bucket, &params).await
            }
            Wish::Remove { bucket } => {
                let names = names(&read_json(&body)?, "prefixes")?;
                let removed = self.remove(claims_of(call)?, &bucket, &names).await?;
                Ok(ok(&Value::Array(removed)))
            }
            Wish::RemoveOne { bucket, name } => {
                self.find(&shop(), &bucket, &name).await?;
                let removed = self
                    .remove(claims_of(call)?, &bucket, std::slice::from_ref(&name))
                    .await?;
                match removed.is_empty() {
                    true => Err(Refusal::denied("Access denied")),
                    false => Ok(ok(&json!({"message": "Successfully deleted"}))),
                }
            }
            Wish::Buckets => {
                let mut transaction = self.act_as(claims_of(call)?).await?;
                let rows: Vec<String> = sqlx::query_scalar(
                    "select to_jsonb(b)::text from storage.buckets b order by b.id",
                )
                .fetch_all(&mut *transaction)
                .await
                .map_err(Refusal::of_database)?;
                Ok(ok(&rows
                    .iter()
                    .filter_map(|row| serde_json::from_str::<Value>(row).ok())
                    .collect()))
            }
            Wish::Bucket { bucket } => {
                let mut transaction = self.act_as(claims_of(call)?).await?;
                let row: Option<String> = sqlx::query_scalar(
                    "select to_jsonb(b)::text from storage.buckets b where b.id = $1",
                )
                .bind(bucket)
                .fetch_optional(&mut *transaction)
                .await
                .map_err(Refusal::of_database)?;
                let row = row.and_then(|row| serde_json::from_str(&row).ok());
                Ok(ok(&row.ok_or_else(Refusal::no_bucket)?))
            }
            Wish::MakeBucket => {
                let params = read_json(&body)?;
                self.make_bucket(claims_of(call)?, &params).await
            }
        }
    }

    async fn upload(
        &self,
        call: &Call<'_>,
        bucket: &str,
        name: &str,
        upsert: bool,
        body: Bytes,
    ) -> Result<Response, Refusal> {
        let claims = claims_of(call)?;
        let terms = self.bucket(bucket).await?;
        let upload = Upload::read(call.headers, body).await?;
        upload.check(terms.limit, terms.kinds.as_deref())?;
        let version = Uuid::new_v4().to_string();
        let size = upload.bytes.len();
        let said = json!({"mimetype": upload.kind, "contentLength": size});
        // First as the user, to hear the policies: it is rolled back.
        let mut transaction = self.act_as(claims).await?;
        let row = Row {
            bucket,
            name,
            version: &version,
            owner: claims["sub"].as_str(),
            metadata: &said,
            user_metadata: upload.metadata.as_ref(),
        };
        row.write(&mut transaction, upsert)
            .await
            .map_err(Refusal::of_database)?;
        transaction.rollback().await.map_err(Refusal::of_database)?;
        let path = self.folder.join(&version);
        let failed = || Refusal::internal("The file could not be written.");
        tokio::fs::write(&path, &upload.bytes)
            .await
            .map_err(|_| failed())?;
        let kept = json!({
            "eTag": format!("\"{version}\""), "size": size, "mimetype": upload.kind, "cacheControl": upload.cache_control,
            "lastModified": now_text(), "contentLength": size, "httpStatusCode": 200,
        });
        let row = Row {
            metadata: &kept,
            ..row
        };
        match self.keep(&row).await {
            Ok((id, old)) => {
                self.forget(old.as_deref()).await;
                let key = format!("{bucket}/{name}");
                Ok(ok(&json!({"Id": id, "Key": key})))
            }
            Err(refusal) => {
                self.forget(Some(&version)).await;
                Err(refusal)
            }
        }
    }

    /// Notes a file that is there, with the platform's own rights; its id, and the version that it replaces.
    async fn keep(&self, row: &Row<'_>) -> Result<(String, Option<String>), Refusal> {
        let mut transaction = self.act_as(&shop()).await?;
        let old: Option<Option<String>> = sqlx::query_scalar(
            "select version from storage.objects where bucket_id = $1 and name = $2 for update",
        )
        .bind(row.bucket)
        .bind(row.name)
        .fetch_optional(&mut *transaction)
        .await
        .map_err(Refusal::of_database)?;
        row.write(&mut transaction, true)
            .await
            .map_err(Refusal::of_database)?;
        let id = sqlx::query_scalar(
            "select id::text from storage.objects where bucket_id = $1 and name = $2",
        )
        .bind(row.bucket)
        .bind(row.name)
        .fetch_one(&mut *transaction)
        .await
        .map_err(Refusal::of_database)?;
        transaction.commit().await.map_err(Refusal::of_database)?;
        Ok((id, old.flatten()))
    }

    async fn list(
        &self,
        claims: &Value,
        bucket: &str,
        params: &Value,
    ) -> Result<Response, Refusal> {
        let mut prefix = params["prefix"].as_str().unwrap_or_default().to_owned();
        if !prefix.is_empty() && !prefix.ends_with('/') {
            prefix.push('/');
        }
        let search = params["search"].as_str().unwrap_or_default();
        let order = params["sortBy"]["order"].as_str().unwrap_or("asc");
        let column = params["sortBy"]["column"].as_str().unwrap_or("name");
        if !["name", "updated_at", "created_at", "last_accessed_at"].contains(&column)
            || !["asc", "desc"].contains(&order)
        {
            return Err(Refusal::invalid(
                "body/sortBy is not one of the columns and orders",
            ));
        }
        let limit = params["limit"].as_i64().unwrap_or(100).clamp(1, 1_500);
        let offset = params["offset"].as_i64().unwrap_or(0).max(0);
        // Where names are sorted by, folders stand among the files; else before them.
        let by = match column {
            "name" => format!("lower(e.name) collate \"C\" {order}"),
            column => format!(
                "(e.id is not null), e.{column} {order}, lower(e.name) collate \"C\" {order}"
            ),
        };
        let sql = format!(
            "with seen as (
               select o.*, substr(o.name, length($2) + 1) as rest from storage.objects o
               where o.bucket_id = $1 and starts_with(lower(o.name), lower($2 || $3))
             ),
             entries as (
               select split_part(rest, '/', 1) as name, null::uuid as id, null::timestamptz as updated_at,
                 null::timestamptz as created_at, null::timestamptz as last_accessed_at, null::jsonb as metadata
               from seen where position('/' in rest) > 0 group by 1
               union all
               select rest, id, updated_at, created_at, last_accessed_at, metadata from seen where position('/' in rest) = 0
             )
             select to_jsonb(e)::text from entries e order by {by} limit $4 offset $5"
        );
        let mut transaction = self.act_as(claims).await?;
        let rows: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .bind(bucket)
            .bind(&prefix)
            .bind(search)
            .bind(limit)
            .bind(offset)
            .fetch_all(&mut *transaction)
            .await
            .map_err(Refusal::of_database)?;
        Ok(ok(&rows
            .iter()
            .filter_map(|row| serde_json::from_str::<Value>(row).ok())
            .collect()))
    }

    /// Removes what a policy lets the user remove; who may remove nothing is told of nothing.
    async fn remove(
        &self,
        claims: &Value,
        bucket: &str,
        names: &[String],
    ) -> Result<Vec<Value>, Refusal> {
        let mut transaction = self.act_as(claims).await?;
        let rows: Vec<String> = sqlx::query_scalar(
            "delete from storage.objects o where o.bucket_id = $1 and o.name = any ($2) \
             returning (to_jsonb(o) - 'path_tokens')::text",
        )
        .bind(bucket)
        .bind(names)
        .fetch_all(&mut *transaction)
        .await
        .map_err(Refusal::of_database)?;
        transaction.commit().await.map_err(Refusal::of_database)?;
        let removed: Vec<Value> = rows
            .iter()
            .filter_map(|row| serde_json::from_str(row).ok())
            .collect();
        for row in &removed {
            self.forget(row["version"].as_str()).await;
        }
        Ok(removed)
    }

    async fn make_bucket(&self, claims: &Value, params: &Value) -> Result<Response, Refusal> {
        let id = params["id"].as_str().or(params["name"].as_str());
        let id = id.filter(|id| is_key(id) && !id.contains('/') && id.len() <= 100);
        let id = id.ok_or_else(|| Refusal::invalid("Bucket name invalid"))?;
        let kinds: Option<Vec<String>> = params["allowed_mime_types"].as_array().map(|kinds| {
            kinds
                .iter()
                .filter_map(|kind| kind.as_str().map(str::to_owned))
                .collect()
        });
        if !params["file_size_limit"].is_null() && !params["file_size_limit"].is_i64() {
            return Err(Refusal::not_here(
                "The local stack's Storage takes a limit in bytes, as a number.",
            ));
        }
        let mut transaction = self.act_as(claims).await?;
        sqlx::query(
            "insert into storage.buckets (id, name, owner_id, public, file_size_limit, allowed_mime_types) \
             values ($1, $1, $2, $3, $4, $5)",
        )
        .bind(id)
        .bind(claims["sub"].as_str())
        .bind(params["public"] == true)
        .bind(params["file_size_limit"].as_i64())
        .bind(kinds)
        .execute(&mut *transaction)
        .await
        .map_err(Refusal::of_database)?;
        transaction.commit().await.map_err(Refusal::of_database)?;
        Ok(ok(&json!({"name": id})))
    }

    /// A file's row, if the user may read it.
    async fn find(&self, claims: &Value, bucket: &str, name: &str) -> Result<Value, Refusal> {
        let mut transaction = self.act_as(claims).await?;
        let row: Option<String> = sqlx::query_scalar(
            "select to_jsonb(o)::text from storage.objects o where o.bucket_id = $1 and o.name = $2",
        )
        .bind(bucket)
        .bind(name)
        .fetch_optional(&mut *transaction)
        .await
        .map_err(Refusal::of_database)?;
        row.and_then(|row| serde_json::from_str(&row).ok())
            .ok_or_else(Refusal::no_object)
    }

    async fn bucket(&self, id: &str) -> Result<Bucket, Refusal> {
        let mut transaction = self.act_as(&shop()).await?;
        let row: Option<(bool, Option<i64>, Option<Vec<String>>)> = sqlx::query_as(
            "select coalesce(public, false), file_size_limit, allowed_mime_types from storage.buckets where id = $1",
        )
        .bind(id)
        .fetch_optional(&mut *transaction)
        .await
        .map_err(Refusal::of_database)?;
        let (is_public, limit, kinds) = row.ok_or_else(Refusal::no_bucket)?;
        let limit = limit.and_then(|limit| usize::try_from(limit).ok());
        Ok(Bucket {
            is_public,
            limit: limit.unwrap_or(FILE_LIMIT).min(FILE_LIMIT),
            kinds,
        })
    }

    /// A transaction with the rights and the claims of the user.
    async fn act_as(&self, claims: &Value) -> Result<Transaction<'static, Postgres>, Refusal> {
        let text = |name: &str| claims[name].as_str().unwrap_or_default().to_owned();
        let mut transaction = self.pool.begin().await.map_err(Refusal::of_database)?;
        // Only a role that the API may take.
        let known: bool = sqlx::query_scalar(
            "select coalesce(pg_has_role('authenticator', to_regrole(quote_ident($1)), 'member'), false)",
        )
        .bind(text("role"))
        .fetch_one(&mut *transaction)
        .await
        .map_err(Refusal::of_database)?;
        if !known {
            return Err(Refusal::denied(
                "The token is for no role that is known here",
            ));
        }
        sqlx::query(
            "select set_config('statement_timeout', '8s', true), set_config('lock_timeout', '8s', true), \
             set_config('search_path', 'storage, public', true), set_config('storage.allow_delete_query', 'true', true), \
             set_config('role', $1, true), set_config('request.jwt.claims', $2, true), \
             set_config('request.jwt.claim.sub', $3, true), set_config('request.jwt.claim.role', $1, true), \
             set_config('request.headers', $4, true)",
        )
        .bind(text("role"))
        .bind(claims.to_string())
        .bind(text("sub"))
        .bind(HEADERS.try_with(Clone::clone).unwrap_or_default())
        .execute(&mut *transaction)
        .await
        .map_err(Refusal::of_database)?;
        Ok(transaction)
    }

    async fn file(
        &self,
        call: &Call<'_>,
        row: &Value,
        ends: Option<i64>,
    ) -> Result<Response, Refusal> {
        let metadata = &row["metadata"];
        let text = |name: &str| metadata[name].as_str().unwrap_or_default();
        let path = row["version"]
            .as_str()
            .and_then(|version| self.path(version));
        let path = path.ok_or_else(Refusal::no_object)?;
        let known = call.headers.get(IF_NONE_MATCH);
        let is_known = known.is_some_and(|known| known.as_bytes() == text("eTag").as_bytes());
        let bytes = tokio::fs::read(&path)
            .await
            .map_err(|_| Refusal::no_object())?;
        let mut response = Response::new(Body::empty());
        let headers = response.headers_mut();
        let mut set = |name: HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        };
        // What a page uploads is not run as a page of ours.
        let kind = match text("mimetype") {
            html if html.contains("text/html") => "text/plain",
            kind => kind,
        };
        set(CONTENT_TYPE, kind);
        set(ETAG, text("eTag"));
        set(LAST_MODIFIED, text("lastModified"));
        set(ACCESS_CONTROL_ALLOW_ORIGIN, "*");
        set(HeaderName::from_static("x-robots-tag"), "none");
        match ends {
            Some(ends) => set(EXPIRES, &http_date(ends)),
            None => set(CACHE_CONTROL, text("cacheControl")),
        }
        if let Some(name) = call.query.get("download") {
            set(CONTENT_DISPOSITION, &disposition(name));
        }
        if is_known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return Ok(response);
        }
        set(CONTENT_LENGTH, &bytes.len().to_string());
        if call.method != Method::HEAD {
            *response.body_mut() = Body::from(bytes);
        }
        Ok(response)
    }

    /// Where a version is kept; a row that was not written by us names none.
    fn path(&self, version: &str) -> Option<PathBuf> {
        let version = Uuid::parse_str(version).ok()?.to_string();
        Some(self.folder.join(version))
    }

    /// A file that no row names any more. If it stays, it takes room and is seen by nobody.
    async fn forget(&self, version: Option<&str>) {
        if let Some(path) = version.and_then(|version| self.path(version)) {
            let _ = tokio::fs::remove_file(path).await;
        }
    }
}

/// What is written of a file.
#[derive(Clone, Copy)]
struct Row<'a> {
    bucket: &'a str,
    name: &'a str,
    version: &'a str,
    owner: Option<&'a str>,
    metadata: &'a Value,
    user_metadata: Option<&'a Value>,
}

impl Row<'_> {
    async fn write(
        &self,
        transaction: &mut Transaction<'_, Postgres>,
        upsert: bool,
    ) -> sqlx::Result<()> {
        let sql = match upsert {
            false => concat!(
                "insert into storage.objects (bucket_id, name, version, owner, owner_id, metadata, user_metadata) ",
                "values ($1, $2, $3, $4::uuid, $5, $6::jsonb, $7::jsonb)"
            ),
            true => concat!(
                "insert into storage.objects (bucket_id, name, version, owner, owner_id, metadata, user_metadata) ",
                "values ($1, $2, $3, $4::uuid, $5, $6::jsonb, $7::jsonb) on conflict (bucket_id, name) do update ",
                "set version = excluded.version, owner = excluded.owner, owner_id = excluded.owner_id, ",
                "metadata = excluded.metadata, user_metadata = excluded.user_metadata"
            ),
        };
        let uuid = self.owner.filter(|owner| Uuid::parse_str(owner).is_ok());
        sqlx::query(sql)
            .bind(self.bucket)
            .bind(self.name)
            .bind(self.version)
            .bind(uuid)
            .bind(self.owner)
            .bind(self.metadata.to_string())
            .bind(self.user_metadata.map(Value::to_string))
            .execute(&mut **transaction)
            .await?;
        Ok(())
    }
}

/// What is asked for.
fn wish(call: &Call<'_>) -> Result<Wish, Refusal> {
    let path = call.path.trim_start_matches('/');
    let (first, rest) = path.split_once('/').unwrap_or((path, ""));
    let method = call.method.as_str();
    let split = |rest: &str| -> Result<(String, String), Refusal> {
        let (bucket, name) = rest.split_once('/').unwrap_or((rest, ""));
        let (bucket, name) = (decode(bucket, false), decode(name, false));
        match is_key(&name) {
            true => Ok((bucket, name)),
            false => Err(Refusal::bad_key(&name)),
        }
    };
    let whole = |rest: &str| (!rest.is_empty() && !rest.contains('/')).then(|| decode(rest, false));
    match (first, method) {
        ("bucket", "GET") if rest.is_empty() => return Ok(Wish::Buckets),
        ("bucket", "GET") => {
            if let Some(bucket) = whole(rest) {
                return Ok(Wish::Bucket { bucket });
            }
        }
        ("bucket", "POST") if rest.is_empty() => return Ok(Wish::MakeBucket),
        ("object", _) => {
            let (kind, tail) = rest.split_once('/').unwrap_or((rest, ""));
            let reads = ["GET", "HEAD"].contains(&method);
            match (kind, method) {
                ("copy" | "move", "POST") => {}
                ("upload", _) => {}
                ("list", "POST") => {
                    if let Some(bucket) = whole(tail) {
                        return Ok(Wish::List { bucket });
                    }
                }
                ("sign", "POST") => {
                    if let Some(bucket) = whole(tail) {
                        return Ok(Wish::SignMany { bucket });
                    }
                    let (bucket, name) = split(tail)?;
                    return Ok(Wish::Sign { bucket, name });
                }
                ("sign", _) if reads => {
                    let (bucket, name) = split(tail)?;
                    return Ok(Wish::DownloadSigned { bucket, name });
                }
                ("public", _) if reads => {
                    let (bucket, name) = split(tail)?;
                    return Ok(Wish::DownloadPublic { bucket, name });
                }
                ("authenticated", _) if reads => {
                    let (bucket, name) = split(tail)?;
                    return Ok(Wish::Download { bucket, name });
                }
                ("info", "GET") => {
                    let tail = tail.strip_prefix("authenticated/").unwrap_or(tail);
                    let (bucket, name) = split(tail)?;
                    return Ok(Wish::Info { bucket, name });
                }
                (_, "DELETE") => {
                    if let Some(bucket) = whole(rest) {
                        return Ok(Wish::Remove { bucket });
                    }
                    let (bucket, name) = split(rest)?;
                    return Ok(Wish::RemoveOne { bucket, name });
                }
                (_, "GET" | "HEAD") => {
                    let (bucket, name) = split(rest)?;
                    return Ok(Wish::Download { bucket, name });
                }
                (_, "POST" | "PUT") => {
                    let (bucket, name) = split(rest)?;
                    let header = call.headers.get("x-upsert");
                    return Ok(Wish::Upload {
                        bucket,
                        name,
                        upsert: method == "PUT" || header.is_some_and(|value| value == "true"),
                    });
                }
                _ => {}
            }
        }
        _ => {}
    }
    Err(Refusal::not_here(NOT_HERE))
}

/// Whether the platform takes it for the name of a file.
fn is_key(name: &str) -> bool {
    let known = |c: char| c.is_ascii_alphanumeric() || "_/!.*'() &$=@;:+,?-".contains(c);
    !name.is_empty() && name.chars().all(known)
}

fn claims_of<'a>(call: &'a Call<'_>) -> Result<&'a Value, Refusal> {
    match &call.caller {
        Some(Ok(claims)) => Ok(claims),
        Some(Err(Refused::Expired)) => Err(Refusal::denied("\"exp\" claim timestamp check failed")),
        Some(Err(Refused::Invalid)) => Err(Refusal::denied("Invalid Compact JWS")),
        None => Err(Refusal::denied(
            "headers must have required property 'authorization'",
        )),
    }
}

/// The platform's own rights.
fn shop() -> Value {
    json!({"role": "service_role"})
}

/// An address at which anybody may read a file for a while.
fn sign(bucket: &str, name: &str, seconds: i64) -> Result<String, Refusal> {
    let now = now();
    let url = format!("{bucket}/{name}");
    let claims = json!({"url": url, "scope": "download", "iat": now, "exp": now + seconds});
    let key = EncodingKey::from_secret(SIGNING_SECRET.as_bytes());
    let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key)
        .map_err(|_| Refusal::internal("The address could not be signed."))?;
    Ok(format!("/object/sign/{url}?token={token}"))
}

/// Until when a token is good for this file.
fn verify(token: &str, bucket: &str, name: &str) -> Result<i64, Refusal> {
    let key = DecodingKey::from_secret(SIGNING_SECRET.as_bytes());
    let mut validation = Validation::new(Algorithm::HS256);
    validation.leeway = 0;
    validation.validate_aud = false;
    let claims = jsonwebtoken::decode::<Value>(token, &key, &validation);
    let claims = claims.map_err(|error| match error.kind() {
        jsonwebtoken::errors::ErrorKind::ExpiredSignature => {
            Refusal::bad_token("\"exp\" claim timestamp check failed")
        }
        _ => Refusal::bad_token("Invalid Compact JWS"),
    })?;
    let claims = claims.claims;
    if claims["scope"] != "download" {
        return Err(Refusal::bad_signature("Token is not scoped for download"));
    }
    if claims["url"].as_str() != Some(&format!("{bucket}/{name}")) {
        return Err(Refusal::bad_signature("Invalid signature"));
    }
    Ok(claims["exp"].as_i64().unwrap_or_default())
}

fn expires_in(params: &Value) -> Result<i64, Refusal> {
    params["expiresIn"]
        .as_i64()
        .filter(|seconds| (1..=10_000_000_000).contains(seconds))
        .ok_or_else(|| Refusal::invalid("body/expiresIn must be a number of seconds"))
}

fn names(params: &Value, member: &'static str) -> Result<Vec<String>, Refusal> {
    let names: Option<Vec<String>> = params[member].as_array().and_then(|names| {
        names
            .iter()
            .map(|name| name.as_str().map(str::to_owned))
            .collect()
    });
    names
        .filter(|names| (1..=MOST_FILES).contains(&names.len()))
        .ok_or_else(|| Refusal::invalid(format!("body/{member} must be a list of names")))
}

fn read_json(body: &[u8]) -> Result<Value, Refusal> {
    serde_json::from_slice(body)
        .ok()
        .filter(Value::is_object)
        .ok_or_else(|| Refusal::invalid("body must be object"))
}

fn disposition(name: &str) -> String {
    if name.is_empty() {
        return "attachment;".to_owned();
    }
    let encoded: String = name
        .bytes()
        .map(|byte| match byte {
            b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
            byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect();
    format!("attachment; filename={encoded}; filename*=UTF-8''{encoded}")
}

fn now() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH);
    let elapsed = elapsed.map_or(0, |elapsed| elapsed.as_secs());
    i64::try_from(elapsed).unwrap_or(i64::MAX)
}

fn now_text() -> String {
    http_date(now())
}

/// Seconds since 1970 as headers have them.
fn http_date(seconds: i64) -> String {
    let time = u64::try_from(seconds).unwrap_or_default();
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(time.min(250_000_000_000)))
}

fn ok(body: &Value) -> Response {
    json_response(StatusCode::OK, body)
}

/// Removes what a stack kept before it began anew.
pub(crate) fn wipe(folder: &Path) -> Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;

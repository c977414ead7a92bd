//! The project's API, called as whoever is signed in.

use std::cell::RefCell;
use std::pin::pin;

use futures::future::{Either, select};
use futures::lock::Mutex;
use postgrest::{Builder, Postgrest};
use serde_json::{Value, json};
use web_sys::{Headers, RequestInit, Storage};

use crate::calls::{Trouble, fetch, pause};
use crate::dom::window;
use crate::replica::{self, Place, Replica};
use crate::session::{self, Session};
use crate::texts::shop as texts;

/// Where the session is kept until the tab is closed; nothing else is kept anywhere.
const KEPT: &str = "interlock.session";

/// Why a call has no answer that is of use.
#[derive(Debug)]
pub(crate) enum Fault {
    /// Nobody is signed in any more.
    Ended,
    /// The shop has refused it, in these words.
    Refused(String),
}

/// Where the project is, and who is signed in.
pub(crate) struct Shop {
    url: String,
    key: String,
    session: RefCell<Option<Session>>,
    /// A refresh token is good for once, so one call at a time asks for the next.
    renewing: Mutex<()>,
    replica: Option<Replica>,
}

impl Shop {
    /// The shop of a project, which may have a replica; with the session that the tab has kept, if it has been loaded anew.
    pub(crate) fn new(url: &str, key: &str, replica: Option<&str>) -> Self {
        let kept = storage().and_then(|storage| storage.get_item(KEPT).ok()?);
        let kept = kept.and_then(|kept| serde_json::from_str(&kept).ok());
        Self {
            url: url.trim_end_matches('/').to_owned(),
            key: key.to_owned(),
            session: RefCell::new(kept.and_then(|kept: Value| Session::read(&kept, now_s()))),
            renewing: Mutex::new(()),
            replica: replica.map(Replica::new),
        }
    }

    /// Who is signed in.
    pub(crate) fn session(&self) -> Option<Session> {
        self.session.borrow().clone()
    }

    fn keep(&self, session: Option<Session>) {
        if let Some(storage) = storage() {
            // Without it, the session ends with the page.
            let _ = match &session {
                Some(session) => storage.set_item(KEPT, &session.write()),
                None => storage.remove_item(KEPT),
            };
        }
        *self.session.borrow_mut() = session;
    }

    /// Signs somebody in, or says why not.
    pub(crate) async fn sign_in(&self, email: &str, password: &str) -> Result<(), String> {
        let body = json!({ "email": email, "password": password });
        let (status, answer) = self
            .auth("token?grant_type=password", &body, None)
            .await
            .map_err(|_| texts::UNREACHABLE.to_owned())?;
        let session = match status {
            200 => Session::read(&answer, now_s()),
            _ => None,
        };
        let session = session.ok_or_else(|| texts::refusal(session::refusal(status, &answer)))?;
        self.keep(Some(session));
        Ok(())
    }

    /// Ends the session, here and at the auth server.
    pub(crate) async fn sign_out(&self) {
        let session = self.session.borrow_mut().take();
        self.keep(None);
        if let Some(session) = session {
            // Whatever is answered, nobody is signed in here.
            let _ = self
                .auth("logout?scope=local", &json!({}), Some(&session.token))
                .await;
        }
    }

    async fn auth(
        &self,
        path: &str,
        body: &Value,
        token: Option<&str>,
    ) -> Result<(u16, Value), Trouble> {
        let headers = Headers::new()?;
        headers.set("apikey", &self.key)?;
        headers.set("content-type", "application/json")?;
        if let Some(token) = token {
            headers.set("authorization", &format!("Bearer {token}"))?;
        }
        let request = RequestInit::new();
        request.set_method("POST");
        request.set_headers(&headers);
        request.set_body(&body.to_string().into());
        fetch(&format!("{}/auth/v1/{path}", self.url), &request).await
    }

    /// A token that still counts; another one than `old`.
    async fn token(&self, old: Option<&str>) -> Result<String, Fault> {
        let _turn = self.renewing.lock().await;
        let session = self.session().ok_or(Fault::Ended)?;
        if old != Some(session.token.as_str()) && !session.is_over(now_s()) {
            return Ok(session.token);
        }
        let body = json!({ "refresh_token": session.refresh_token });
        let answer = self
            .auth("token?grant_type=refresh_token", &body, None)
            .await;
        match answer {
            Ok((200, answer)) => match Session::read(&answer, now_s()) {
                Some(session) => {
                    let token = session.token.clone();
                    self.keep(Some(session));
                    Ok(token)
                }
                None => Err(Fault::Refused(texts::UNREACHABLE.to_owned())),
            },
            Ok((400..=403, _)) => {
                self.keep(None);
                Err(Fault::Ended)
            }
            _ => Err(Fault::Refused(texts::UNREACHABLE.to_owned())),
        }
    }

    /// Calls an RPC that writes: what is read from now on has to have it.
    pub(crate) async fn act(&self, name: &str, arguments: &Value) -> Result<Value, Fault> {
        let outcome = self.rpc(name, arguments).await;
        // Also one that got no answer may have written.
        if let Some(replica) = &self.replica {
            replica.note_deed();
        }
        outcome
    }

    /// Calls an RPC that reads, and may take its time: at the replica, if there is one that has all that was done in this tab.
    pub(crate) async fn read(&self, name: &str, arguments: &Value) -> Result<Value, Fault> {
        if let Some(replica) = &self.replica
            && replica.is_there(now_s())
        {
            let token = self.token(None).await?;
            let answer = pin!(self.read_at(replica, &token, name, arguments));
            match select(answer, pin!(pause(replica::PATIENCE_MS))).await {
                Either::Left((Ok(Some(answer)), _)) => return Ok(answer),
                Either::Left((Ok(None), _)) => {}
                Either::Left((Err(()), _)) | Either::Right(_) => replica.note_away(now_s()),
            }
        }
        self.rpc(name, arguments).await
    }

    /// The replica's answer. None: the primary has to be asked, because it lacks something, or because it refuses what the primary may know better.
    async fn read_at(
        &self,
        replica: &Replica,
        token: &str,
        name: &str,
        arguments: &Value,
    ) -> Result<Option<Value>, ()> {
        let ask = async |rest: &str, name: &str, arguments: &Value| {
            let call = self.call(rest, token, name, arguments);
            let response = call.execute().await.map_err(drop)?;
            let is_answer = response.status().is_success();
            let text = response.text().await.map_err(drop)?;
            let answer: Value = serde_json::from_str(&text).unwrap_or_default();
            Ok(is_answer.then_some(answer))
        };
        if let Some(done) = replica.missing() {
            let nothing = json!({});
            let at = |answer: Option<Value>| answer.as_ref().and_then(Place::read);
            let written = at(ask(&self.rest(), "log_position", &nothing).await?);
            let replayed = at(ask(&replica.rest, "log_position", &nothing).await?);
            match (written, replayed) {
                (Some(written), Some(replayed)) if replayed.has(written) => {
                    replica.note_found(done);
                }
                _ => return Ok(None),
            }
        }
        ask(&replica.rest, name, arguments).await
    }

    fn rest(&self) -> String {
        format!("{}/rest/v1", self.url)
    }

    fn call(&self, rest: &str, token: &str, name: &str, arguments: &Value) -> Builder {
        Postgrest::new(rest)
            .insert_header("apikey", &self.key)
            .insert_header("authorization", format!("Bearer {token}"))
            .rpc(name, arguments.to_string())
    }

    /// Calls an RPC, at the primary.
    pub(crate) async fn rpc(&self, name: &str, arguments: &Value) -> Result<Value, Fault> {
        let unreachable = || Fault::Refused(texts::UNREACHABLE.to_owned());
        let mut token = self.token(None).await?;
        let mut is_last = false;
        loop {
            let response = self
                .call(&self.rest(), &token, name, arguments)
                .execute()
                .await
                .map_err(|_| unreachable())?;
            let status = response.status().as_u16();
            let body = response.text().await.map_err(|_| unreachable())?;
            let answer: Value = serde_json::from_str(&body).unwrap_or_default();
            match status {
                200..=299 => return Ok(answer),
                // A token that has ended meanwhile.
                401 if !is_last => {
                    token = self.token(Some(&token)).await?;
                    is_last = true;
                }
                _ => return Err(Fault::Refused(refusal(status, &answer))),
            }
        }
    }
}

/// An answer of PostgREST that is an error, as people read it.
fn refusal(status: u16, answer: &Value) -> String {
    let details = answer["details"].as_str().unwrap_or_default();
    let details: Value = serde_json::from_str(details).unwrap_or_default();
    let code = answer["message"].as_str().unwrap_or_default();
    let message = details["message"].as_str().unwrap_or_default();
    let problem = &details["problems"][0];
    match (message.is_empty(), problem["message"].as_str()) {
        (true, _) => texts::refused(code, "", &status.to_string()),
        (false, Some(problem_text)) => {
            let pointer = problem["pointer"].as_str().unwrap_or_default();
            texts::refused(message, &format!("{pointer} {problem_text}."), code)
        }
        (false, None) => {
            let hint = answer["hint"].as_str().unwrap_or_default();
            texts::refused(message, hint, code)
        }
    }
}

/// The tab's own storage, if the browser allows any.
fn storage() -> Option<Storage> {
    window().session_storage().ok()?
}

fn now_s() -> f64 {
    js_sys::Date::now() / 1000.0
}

//! A shop that is moved between two databases while it is worked in.
//!
//! Whoever is answered that it moves has done nothing, waits for its arrival and goes on there, as a client behind a router does.

use crate::prove::own_stack::connect;
use anyhow::{Context as _, Result};
use interlock_move_shop::{Move, forget};
use serde_json::{Value, json};
use std::future::pending;
use std::sync::Arc;
use tokio::sync::watch;
use tokio_postgres::Client;
use uuid::Uuid;

/// What an error says that comes of a move.
pub(crate) const NOT_MOVED: &str = "the shop was not moved";

/// Where the shop is.
pub(crate) struct Route {
    pub(crate) shop: i32,
    pub(crate) urls: [String; 2],
    waits: bool,
    /// How often it has arrived: an even number of times, and it is at the first database.
    arrivals: watch::Sender<u64>,
}

impl Route {
    /// A new shop at the first of two databases that serve many. Without `waits`, whoever moves it does not wait for the requests that were
    /// let in, which must be noticed.
    pub(crate) async fn open(urls: &[String; 2], shop: i32, waits: bool) -> Result<Arc<Self>> {
        let db = connect(&urls[0]).await?;
        db.batch_execute(&format!(
            "alter table interlock.shops alter id restart with {shop}; select interlock.add_shop('shop-{shop}')"
        ))
        .await?;
        Ok(Arc::new(Self {
            shop,
            urls: urls.clone(),
            waits,
            arrivals: watch::Sender::new(0),
        }))
    }

    /// How often it has arrived.
    pub(crate) fn arrivals(&self) -> u64 {
        *self.arrivals.borrow()
    }

    /// Which of the databases it is at after so many arrivals.
    pub(crate) fn place(arrivals: u64) -> usize {
        usize::from(arrivals % 2 == 1)
    }

    /// Waits until it has arrived more often.
    pub(crate) async fn arrives(&self, arrivals: u64) -> Result<()> {
        let mut seen = self.arrivals.subscribe();
        seen.wait_for(|now| *now > arrivals).await?;
        Ok(())
    }

    /// Moves it to the other database; how many milliseconds it was refused.
    pub(crate) async fn go(&self) -> Result<u64> {
        let at = Self::place(self.arrivals());
        let plan = Move::new(self.shop, &self.urls[at], &self.urls[1 - at]);
        let plan = if self.waits {
            plan
        } else {
            plan.without_waiting()
        };
        let moved = plan.run(&|_| (), pending()).await;
        let moved = moved.context(NOT_MOVED)?;
        self.arrivals.send_modify(|arrivals| *arrivals += 1);
        Ok(u64::try_from(moved.refused.as_millis())?)
    }

    /// Removes what it has left behind, with nothing under way.
    pub(crate) async fn forget(&self) -> Result<()> {
        let left = 1 - Self::place(self.arrivals());
        forget(self.shop, &self.urls[left], None, &|_| ()).await?;
        Ok(())
    }

    /// A session of the owner role that works in it at one of the databases.
    pub(crate) async fn connect(&self, place: usize) -> Result<Client> {
        let db = connect(&self.urls[place]).await?;
        let shop = format!("set interlock.shop = '{}'", self.shop);
        db.batch_execute(&shop).await?;
        Ok(db)
    }

    /// Whoever has a role has it in this shop.
    pub(crate) fn bind(&self, claims: &mut Value) {
        let app = claims
            .get_mut("app_metadata")
            .and_then(Value::as_object_mut);
        if let Some(app) = app
            && app.contains_key("role")
        {
            app.insert("shop_id".to_owned(), json!(self.shop));
        }
    }
}

/// Accounts are the platform's, and at both databases.
pub(crate) async fn bring_accounts(from: &Client, to: &Client) -> Result<()> {
    let rows = from.query("select id, email from auth.users", &[]).await?;
    let ids: Vec<Uuid> = rows.iter().map(|row| row.get(0)).collect();
    let emails: Vec<Option<String>> = rows.iter().map(|row| row.get(1)).collect();
    to.execute(
        "insert into auth.users (id, aud, role, email)
         select id, 'authenticated', 'authenticated', email from unnest($1::uuid[], $2::text[]) as t (id, email)
         on conflict do nothing",
        &[&ids, &emails],
    )
    .await?;
    Ok(())
}

//! The shops of a storm, with the same products, people and prices in each, and a router that knows where each is.

use super::places::Places;
use crate::prove::own_stack::connect;
use anyhow::Result;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Mutex;
use uuid::Uuid;

/// What there is of each product: plenty, too little for all, and plenty for those who take their time.
pub(super) const STOCK: [i64; 3] = [1_000_000, 30, 1_000_000];

/// Shops on two databases.
pub(super) struct Market {
    pub(super) urls: [String; 2],
    pub(super) shops: Vec<i32>,
    pub(super) people: Vec<Uuid>,
    pub(super) products: [Uuid; 3],
    /// Whether a server may be lost, which whoever buys then has to live with.
    pub(super) struck: bool,
    /// At which of the databases each shop is.
    router: Mutex<BTreeMap<i32, usize>>,
}

impl Market {
    /// Every other shop at each database, and everybody at both.
    pub(super) async fn open(places: &Places, ids: Range<i32>, people: usize) -> Result<Self> {
        let at = |shop: i32| usize::from(shop % 2 == 1);
        let market = Self {
            urls: places.urls.clone(),
            shops: ids.clone().collect(),
            people: (0..people).map(|_| Uuid::new_v4()).collect(),
            products: STOCK.map(|_| Uuid::new_v4()),
            struck: false,
            router: Mutex::new(ids.map(|shop| (shop, at(shop))).collect()),
        };
        for (place, url) in market.urls.iter().enumerate() {
            let db = connect(url).await?;
            db.execute(
                "insert into auth.users (id, aud, role, email)
                 select id, 'authenticated', 'authenticated', id || '@test.example' from unnest($1::uuid[]) as id",
                &[&market.people],
            )
            .await?;
            for shop in market.shops.iter().filter(|shop| at(**shop) == place) {
                // Ids are given out by whoever runs many databases: no two shops share one.
                let next = format!("alter table interlock.shops alter id restart with {shop}");
                db.batch_execute(&next).await?;
                let add = "select interlock.add_shop('shop-' || $1::int), set_config('interlock.shop', $1::int::text, false)";
                db.execute(add, &[&shop]).await?;
                db.execute(
                    "insert into interlock.products (id, name, price, currency, available_quantity)
                     select id, 'test:' || id, 700, 'USD', quantity from unnest($1::uuid[], $2::bigint[]) as t (id, quantity)",
                    &[&market.products.as_slice(), &STOCK.as_slice()],
                )
                .await?;
                db.batch_execute(
                    "update interlock.settings set max_open_orders_per_customer = null where shop_id = interlock.shop_id();
                     insert into interlock.webhook_endpoints (url) values ('https://test.example/events');
                     select set_config('interlock.shop', '', false)",
                )
                .await?;
            }
        }
        Ok(market)
    }

    /// Where a shop is.
    pub(super) fn place(&self, shop: i32) -> usize {
        self.router.lock().expect("nothing panics with it")[&shop]
    }

    /// From now on it is there.
    pub(super) fn route(&self, shop: i32, place: usize) {
        let mut router = self.router.lock().expect("nothing panics with it");
        router.insert(shop, place);
    }
}

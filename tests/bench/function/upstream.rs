//! An API that answers every checkout at once, so that only the function's own work is left.

use anyhow::Result;
use axum::Router;
use axum::http::header::CONTENT_TYPE;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::net::TcpListener;

/// What is bought.
pub(crate) const PRODUCTS: [&str; 3] = [
    "9d0d0000-0000-4000-8000-000000000001",
    "9d0d0000-0000-4000-8000-000000000002",
    "9d0d0000-0000-4000-8000-000000000003",
];

/// The API, for as long as this process lives.
#[derive(Debug)]
pub(crate) struct Upstream {
    /// Such as `127.0.0.1:40000`.
    pub(crate) address: String,
}

impl Upstream {
    /// Starts it on a free port.
    pub(crate) async fn start() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?.to_string();
        let answer: Arc<str> = order().to_string().into();
        // It takes the request in full, as PostgREST does, and looks at nothing.
        let router = Router::new().fallback(async move |_arguments: String| {
            (
                [(CONTENT_TYPE, "application/json; charset=utf-8")],
                answer.to_string(),
            )
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Upstream { address })
    }
}

/// What `public.checkout` answers to the cart that is sent here.
fn order() -> Value {
    let items: Vec<Value> = PRODUCTS
        .iter()
        .map(|product| {
            json!({
                "product_id": product, "name": "Espresso beans, 1 kg", "kind": "physical",
                "quantity": 2, "unit_price": 1890,
            })
        })
        .collect();
    json!({
        "success": true,
        "order": {
            "id": "0de40000-0000-4000-8000-000000000001",
            "status": "confirmed",
            "currency": "USD",
            "subtotal": 11_340,
            "discount": 0,
            "total": 11_340,
            "payment_method": "cash_on_delivery",
            "promo_code": null,
            "cart_id": null,
            "created_at": "2026-11-22T12:00:00.123456+00:00",
            "paid_at": null,
            "payment_expires_at": null,
            "items": items,
        },
    })
}

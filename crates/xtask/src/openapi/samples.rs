//! What an RPC is called with in its example, where that is not plain from the names and types of its parameters.

use serde_json::{Value, json};

use super::rpcs::SEED;

/// The parameters of an RPC, optional ones among them, with what is sent.
pub(super) fn of(rpc: &str) -> Value {
    let product = SEED[0].1[0];
    let line = json!([{ "product_id": product, "quantity": 1 }]);
    let email = "ann@example.com";
    match rpc {
        "add_shop" => json!({ "p_handle": "berlin" }),
        "adjust_points" => json!({ "p_delta": 10 }),
        "allow_email" | "suppress_email" => json!({ "p_email": email }),
        "approve_sale" => json!({ "p_actions": ["void"] }),
        "begin_card_payment" => json!({ "p_order_id": "00000000-0000-4000-8000-000000000000" }),
        "browse_shop" => json!({ "p_list": "orders" }),
        "claim_route" => json!({ "p_batch_id": SEED[1].1[0] }),
        "claim_product_codes_atomic" => {
            json!({ "p_product_id": "9d0d0000-0000-4000-8000-000000000004" })
        }
        "correct_order" => json!({ "p_contact": { "name": "Ann", "email": email } }),
        "create_webhook_endpoint" => json!({ "p_url": "https://erp.example.com/interlock" }),
        "find_customer" => json!({ "p_email": email }),
        "manage_inventory" => {
            json!({ "p_action": "get", "p_lines": [{ "product_id": product }] })
        }
        "merge_customers" => json!({ "p_into": "00000000-0000-4000-8000-000000000001" }),
        "move_cash" => json!({ "p_kind": "paid_in" }),
        "pack_item" | "pick_item" => json!({ "p_product_id": product }),
        "payment_webhook" => json!({ "p_provider": "stripe" }),
        "pos_sale" => {
            json!({ "p_lines": line, "p_tenders": [{ "type": "cash", "amount": 1299 }] })
        }
        "preview_mail" => json!({ "p_kind": "order_confirmed" }),
        "record_delivery" => json!({ "p_status": 200 }),
        "refund_order_lines" => json!({ "p_lines": line }),
        "retry_delivery" => json!({ "p_delivery_id": 1 }),
        "save_customer" => json!({ "p_person": { "name": "Ann", "email": email } }),
        "set_crm_mappings" => json!({ "p_mappings": [{
            "event_type": "customer.changed", "path": "/contacts", "body": { "id": "{{customer.id}}" },
        }] }),
        "set_crm_settings" => json!({ "p_account": "4711" }),
        "set_deliver_secret" => json!({ "p_secret": "at-least-32-characters-nobody-guesses" }),
        "set_mail_settings" => json!({ "p_sender": "Shop <orders@shop.example.com>" }),
        "set_mail_template" => json!({ "p_kind": "order_confirmed", "p_language": "en" }),
        "set_mail_webhook_secret" => {
            json!({ "p_secret": "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz" })
        }
        "set_payment_secret" => {
            json!({ "p_provider": "stripe", "p_secret": "whsec_0123456789abcdef" })
        }
        "set_shop" => json!({ "p_requests_at_once": 8 }),
        "store_card_payment" => json!({ "p_provider_id": "pi_0123456789" }),
        "validate_promo" => json!({ "p_code": "WELCOME10", "p_cart_items": line }),
        _ => json!({}),
    }
}

//! What the database raises for any function where it serves many shops.

super::codes! {
    ShopUnknown 404 Final "SHOP_UNKNOWN"
        "There is no such shop."
        "Check the header x-shop: it is the id or the handle of a shop; list_shops has them."
        known(&[("shop", Says("As the request calls it.", &Text))]);

    ShopForbidden 403 Final "SHOP_FORBIDDEN"
        "This account works in another shop."
        "An account with a role works in the shop that its app_metadata.shop_id names, in shop 1 without one."
        known(&[("shop", Whole)]);

    ShopClosed 403 Final "SHOP_CLOSED"
        "This shop is closed."
        "Open it with set_shop."
        known(&[("shop", Whole)]);

    OneShop 409 Final "ONE_SHOP"
        "This installation serves one shop."
        "Let it serve many with serve_shops, in the SQL editor: docs/many-shops.md."
        Null;

    ShopHandleTaken 409 Final "SHOP_HANDLE_TAKEN"
        "Another shop has this handle."
        "Choose another one, or rename the shop of details.shop with set_shop; if it is the one that you have just added, go on with it."
        known(&[("shop", Whole)]);

    ShopMoving 503 Retryable "SHOP_MOVING"
        "This shop is being moved to another database."
        "Send the same request again."
        known(&[("shop", Whole)]);

    ShopBusy 503 Retryable "SHOP_BUSY"
        "This shop has as many requests under way as it may have."
        "Send the same request again; set_shop changes requests_at_once."
        known(&[("shop", Whole), ("requests_at_once", Whole)]);
}

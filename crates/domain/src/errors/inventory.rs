//! What the database raises about stock at locations.

super::codes! {
    InventoryNotFound 404 Final "INVENTORY_NOT_FOUND"
        "There is no such stock."
        "Check the ids in details.inventory_ids: each is that of a row of inventory, or of a product for its stock in the web shop."
        known(&[("inventory_ids", List(&Uuid))]);
}

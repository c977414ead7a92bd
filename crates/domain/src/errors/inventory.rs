//! What the database raises about stock at locations.

super::codes! {
    InventoryNotFound 404 Final "INVENTORY_NOT_FOUND"
        "There is no such stock."
        "Check the ids in details.inventory_ids: each is that of a row of inventory, or of a product for its stock in the web shop."
        known(&[("inventory_ids", List(&Uuid))]);

    LocationNotFound 404 Final "LOCATION_NOT_FOUND"
        "There is no such location, or it is closed."
        "Check the ids in details.location_ids; goods come to no location that is not active."
        known(&[("location_ids", List(&Uuid))]);

    VersionConflict 409 Final "VERSION_CONFLICT"
        "The stock is no longer what was read."
        "Look at version and quantity in details.conflicts, decide again, and send it with those; or say it relatively: adjust."
        known(&[("conflicts", List(&Object("A line that expects another stock than there is.", &[
            ("line", AMOUNT), ("inventory_id", OrNull(&Uuid)), ("product_id", Uuid), ("location_id", Uuid),
            ("expected_version", OrNull(&AMOUNT)), ("expected_quantity", OrNull(&Number)),
            ("version", AMOUNT), ("quantity", Number),
        ])))]);
}

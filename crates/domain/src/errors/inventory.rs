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

    StockTransferNotFound 404 Final "STOCK_TRANSFER_NOT_FOUND"
        "There is no such transfer of stock."
        "Check transfer_id: it is the one that was answered when the goods were sent."
        known(&[("transfer_id", Uuid)]);

    TransferExceeded 409 Final "TRANSFER_EXCEEDED"
        "More would arrive than is in transit."
        "Look at details.lines: of each product sent less received and lost is the most that can still come. It may have been booked already."
        known(&[("transfer_id", Uuid), ("lines", List(&Object("A line that is too much.", &[
            ("product_id", Uuid), ("sent", Number), ("received", Number), ("lost", Number), ("requested", Number),
        ])))]);

    TransferEnded 409 Final "TRANSFER_ENDED"
        "Nothing of this transfer is in transit any more."
        "Nothing is left to be done: details says when it ended, and whether it was cancelled."
        known(&[("transfer_id", Uuid), ("ended_at", Time), ("cancelled", Flag)]);
}

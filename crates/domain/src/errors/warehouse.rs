//! What the database raises about the warehouse.

super::codes! {
    SessionNotFound 404 Final "SESSION_NOT_FOUND"
        "There is no such picking session."
        "Check session_id: picking_sessions has those of the locations in your token (app_metadata.location_ids)."
        known(&[("session_id", Uuid)]);

    PackingLineNotFound 404 Final "PACKING_LINE_NOT_FOUND"
        "There is no such line in this picking session."
        "Check the ids: packing_progress has the lines of a session's orders."
        Partly(
            "What is known about it.",
            &[("session_id", Uuid), ("order_id", Uuid), ("product_id", Uuid), ("progress_id", Uuid)],
            &["session_id", "order_id", "product_id", "progress_id"],
        );

    SessionStateConflict 409 Final "SESSION_STATE_CONFLICT"
        "The picking session, or the order in it, is not in a state in which this can be done."
        "Look at details: packing begins with start_packing, and an order that has left its session or was completed is not packed any more."
        Partly(
            "What is known about it.",
            &[
                ("session_id", Uuid),
                ("status", Words(&["picking", "packing", "completed", "abandoned"])),
                ("order_id", Uuid),
                ("order_status", Words(&["open", "completed", "removed", "cancelled"])),
            ],
            &["order_id", "order_status"],
        );

    OrderInSession 409 Final "ORDER_IN_SESSION"
        "An order is in another picking session already."
        "Go on with the sessions in details.orders, or take the orders out of them first."
        known(&[("orders", List(&Object(
            "An order, and where it is.",
            &[("order_id", Uuid), ("session_id", Uuid), ("code", Text)],
        )))]);

    OrderNotPackable 409 Final "ORDER_NOT_PACKABLE"
        "An order has nothing to be packed."
        "Leave out the orders in details: only what is confirmed or paid and still has goods to be sent is packed."
        known(&[("orders", List(&Object(
            "An order, and what it is.",
            &[("order_id", Uuid), ("status", Text), ("fulfillment", Text)],
        )))]);

    AlreadyFullyPacked 409 Final "ALREADY_FULLY_PACKED"
        "This item is already fully packed."
        "Put it back: the order has all that it needs of it. Look at details for the numbers as they are."
        PACKING;

    NoUnitsToPack 409 Final "NO_UNITS_TO_PACK"
        "No more units available to pack."
        "Pick more of it, or say that there will be none (short): over all orders, no more is packed than was picked."
        PACKING;

    NothingPacked 409 Final "NOTHING_PACKED"
        "There are not that many units of it in the box."
        "Take out details.quantity_packed at most."
        PACKING;

    NotFullyPacked 409 Final "NOT_FULLY_PACKED"
        "The order is not packed completely."
        "Pack what is missing, or say that there will be none (short): details.lines has each line that is open."
        known(&[
            ("session_id", Uuid),
            ("order_id", Uuid),
            ("lines", List(&Object("A line that is open.", &[
                ("progress_id", Uuid),
                ("product_id", Uuid),
                ("quantity_packed", AMOUNT),
                ("quantity_needed", AMOUNT),
                ("quantity_short", AMOUNT),
            ]))),
        ]);

    PackingConflict 409 Final "PACKING_CONFLICT"
        "The number of packed units is no longer what was expected."
        "Look at details.quantity_packed, and set the number on that, or scan (pack) instead of setting it."
        Anything;

    WrongItem 409 Final "WRONG_ITEM"
        "Nobody needs this product here."
        "Put it back: it is in no line of this order, or of this session."
        Partly(
            "What is known about it.",
            &[("session_id", Uuid), ("order_id", Uuid), ("product_id", Uuid)],
            &["order_id"],
        );

    PickClaimed 409 Final "PICK_CLAIMED"
        "Somebody else is picking this."
        "Pick something else, or wait until the lease is over or released: details.items says until when."
        known(&[
            ("session_id", Uuid),
            ("items", List(&Object("A product, and until when somebody has it.", &[
                ("product_id", Uuid),
                ("picker_until", Time),
            ]))),
        ]);

    NothingToPick 409 Final "NOTHING_TO_PICK"
        "There is nothing left to pick in this session."
        "Go on with another session, or start packing."
        known(&[("session_id", Uuid)]);

    PickExceedsNeeded 409 Final "PICK_EXCEEDS_NEEDED"
        "More would be picked than the orders need."
        "Leave it on the shelf: look at details for the numbers as they are."
        ITEM;

    NothingPicked 409 Final "NOTHING_PICKED"
        "There are not that many units of it in the basket."
        "Put back details.available at most: what is packed has to be taken out of its box first."
        ITEM;
}

/// A line, with its basket.
#[cfg(not(target_arch = "wasm32"))]
const PACKING: crate::shape::Shape = known(&[
    ("session_id", Uuid),
    ("order_id", Uuid),
    ("product_id", Uuid),
    ("quantity_packed", AMOUNT),
    ("quantity_needed", AMOUNT),
    ("quantity_picked", AMOUNT),
    ("available", AMOUNT),
]);

/// A product of a session.
#[cfg(not(target_arch = "wasm32"))]
const ITEM: crate::shape::Shape = known(&[
    ("session_id", Uuid),
    ("product_id", Uuid),
    ("quantity_needed", AMOUNT),
    ("quantity_picked", AMOUNT),
    ("quantity_packed", AMOUNT),
    ("quantity_short", AMOUNT),
    ("available", AMOUNT),
    ("version", AMOUNT),
]);

//! What the database raises about tills.

super::codes! {
    RegisterNotFound 404 Final "REGISTER_NOT_FOUND"
        "There is no such register, or it is not active."
        "Check register_id: registers has them all."
        known(&[("register_id", Uuid)]);

    ShiftNotFound 404 Final "SHIFT_NOT_FOUND"
        "There is no such shift."
        "Check the id of the shift: it is the one that open_shift answered."
        known(&[("shift_id", Uuid)]);

    SaleNotFound 404 Final "SALE_NOT_FOUND"
        "There is no such sale."
        "Check the id of the sale: it is the one that was answered when it was sold."
        known(&[("sale_id", Uuid)]);

    ParkedSaleNotFound 404 Final "PARKED_SALE_NOT_FOUND"
        "There is no such parked sale at this location."
        "Look at parked_sales: a parked sale belongs to the tills of its location."
        known(&[("parked_sale_id", Uuid)]);

    ApprovalNotFound 404 Final "APPROVAL_NOT_FOUND"
        "There is no such approval that could be used."
        "Ask a manager for another one: each counts once, at its register, within five minutes, for what it names."
        known(&[("approval_id", Uuid)]);

    BarcodeNotFound 404 Final "BARCODE_NOT_FOUND"
        "A barcode is not known."
        "Scan it again, or name the product: details.barcodes are in no row of product_barcodes."
        known(&[("barcodes", List(&Text))]);

    DiscountNotAllowed 403 Final "DISCOUNT_NOT_ALLOWED"
        "A cashier may not take off that much."
        "Take off details.limit_percent of the line's price at most, or let a manager sell."
        known(&[("limit_percent", Number)]);

    ReturnNotAllowed 403 Final "RETURN_NOT_ALLOWED"
        "A cashier may not take goods back without a receipt."
        "Name the sale and line by which they were sold, or let a manager take them back."
        Null;

    ShiftNotOpen 409 Final "SHIFT_NOT_OPEN"
        "This register has no open shift."
        "Open one with open_shift, and send the sale again."
        known(&[("register_id", Uuid)]);

    ShiftAlreadyOpen 409 Final "SHIFT_ALREADY_OPEN"
        "This register has an open shift already."
        "Go on with details.shift_id, or close it first."
        known(&[("register_id", Uuid), ("shift_id", Uuid), ("opened_at", Time)]);

    ShiftClosed 409 Final "SHIFT_CLOSED"
        "This shift is closed."
        "Look at details: it was closed with another count, or before this was asked for. Its report stands."
        known(&[("shift_id", Uuid), ("closed_at", Time), ("counted_cash", AMOUNT)]);

    CashExceeded 409 Final "CASH_EXCEEDED"
        "There is not that much cash in the drawer."
        "Take out details.expected_cash at most, or count the drawer."
        known(&[("shift_id", Uuid), ("expected_cash", Number), ("requested", AMOUNT)]);

    StockElsewhere 409 Final "STOCK_ELSEWHERE"
        "What is to be sold is at another location."
        "Name what is at details.location_id, where the register stands, or the product by its id."
        known(&[("inventory_ids", List(&Uuid)), ("location_id", Uuid)]);

    TenderReferenceUsed 409 Final "TENDER_REFERENCE_USED"
        "A card payment was booked already."
        "Look at the sale that has it: each payment of a terminal pays once."
        known(&[("references", List(&Text))]);

    ReturnExceedsSold 409 Final "RETURN_EXCEEDS_SOLD"
        "More would come back than was sold."
        "Of each line in details.lines sold less returned is the most that can still come back; it may have been taken back at another till."
        known(&[("sale_id", Uuid), ("lines", List(&Object("A line of which too much comes back.", &[
            ("line", AMOUNT), ("sold", Number), ("returned", Number), ("requested", Number),
        ])))]);

    RefundExceedsPaid 409 Final "REFUND_EXCEEDS_PAID"
        "More would be paid out in this way than was paid in this way."
        "Pay out by each type of details.tenders its refundable at most: what was paid by it, less what was paid out before. Without a receipt it is cash."
        known(&[("total", Number), ("currency", Currency), ("tenders", List(&Object("A way of payment.", &[
            ("type", Text), ("requested", AMOUNT), ("refundable", AMOUNT),
        ])))]);

    ParkedSaleTaken 409 Final "PARKED_SALE_TAKEN"
        "Another till has this parked sale."
        "Let the till of details.register_id sell it or park it again."
        known(&[("parked_sale_id", Uuid), ("register_id", Uuid), ("resumed_at", Time)]);

    ParkedSaleEnded 409 Final "PARKED_SALE_ENDED"
        "This parked sale does not wait any more."
        "Look at details.status: it was sold (as details.sale_id), discarded, or its time was over."
        known(&[
            ("parked_sale_id", Uuid), ("status", Words(&["sold", "discarded", "expired"])), ("sale_id", OrNull(&Uuid)),
        ]);

    SaleVoided 409 Final "SALE_VOIDED"
        "This sale was voided: nothing of it can come back."
        "Look at the sale: its goods went back when it was voided."
        known(&[("sale_id", Uuid), ("voided_at", Time)]);

    SaleReturned 409 Final "SALE_RETURNED"
        "Something of this sale has come back already."
        "Take back the rest as a return, or void the returns of details.lines first."
        known(&[("sale_id", Uuid), ("lines", List(&Object("A line of which something came back.", &[
            ("line", AMOUNT), ("returned", Number),
        ])))]);

    Underpaid 422 Final "UNDERPAID"
        "The tenders are less than the total."
        "Take details.missing more (pay out more, if the total is below nothing), and send all tenders."
        known(&[("total", Number), ("paid", AMOUNT), ("missing", AMOUNT), ("currency", Currency)]);

    Overpaid 422 Final "OVERPAID"
        "More was paid than the total, and not in cash."
        "Change is given of cash only, and none when money is paid out: lower the tenders by details.excess."
        known(&[("total", Number), ("paid", AMOUNT), ("excess", AMOUNT), ("currency", Currency)]);
}

//! What the database raises about customers of tills and their points.

super::codes! {
    CustomerNotFound 404 Final "CUSTOMER_NOT_FOUND"
        "There is no such customer."
        "Check the id, phone or e-mail, or send `create` to have them made."
        Null;

    CustomersDiffer 409 Final "CUSTOMERS_DIFFER"
        "The phone is one customer's and the e-mail another's, or what comes back was bought by another."
        "Name one of details.customer_ids (of what comes back the first, who has bought it), or have a manager merge them with merge_customers."
        known(&[("customer_ids", List(&Uuid))]);

    ContactTaken 409 Final "CONTACT_TAKEN"
        "This phone or e-mail is another customer's."
        "It is that of details.customer_id: use that one, or merge both with merge_customers."
        known(&[("customer_id", Uuid)]);

    CustomerLinked 409 Final "CUSTOMER_LINKED"
        "This account is another customer's, or both customers have one."
        "Unlink details.customer_id first, with link_customer and null."
        known(&[("customer_id", Uuid)]);

    InsufficientPoints 409 Final "INSUFFICIENT_POINTS"
        "There are not enough points."
        "Pay with what details.balance is worth at most."
        known(&[("balance", AMOUNT), ("requested", AMOUNT)]);

    WalletUnlinked 409 Final "WALLET_UNLINKED"
        "The customer whose wallet it was has no account any more."
        "Link an account with link_customer first, or settle details.amount in another way: there is no wallet for it."
        known(&[("customer_id", Uuid), ("amount", AMOUNT)]);
}

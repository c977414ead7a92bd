//! What the database raises about events that are told outside.

super::codes! {
    DeliverSecretInvalid 400 Final "DELIVER_SECRET_INVALID"
        "This is not the secret of the worker that sends deliveries."
        "Send Authorization: Bearer and the secret that set_deliver_secret was given, or give it another one."
        Null;

    WebhookEndpointNotFound 404 Final "WEBHOOK_ENDPOINT_NOT_FOUND"
        "There is no such endpoint."
        "Check the id: list_webhook_endpoints has them all."
        known(&[("endpoint_id", Uuid)]);

    DeliveryNotFound 404 Final "DELIVERY_NOT_FOUND"
        "There is no such delivery."
        "Check the id: list_deliveries has those that are kept."
        known(&[("delivery_id", Whole)]);

    WebhookEndpointInactive 409 Final "WEBHOOK_ENDPOINT_INACTIVE"
        "This endpoint is switched off."
        "Switch it on again with update_webhook_endpoint(p_active = true)."
        known(&[("endpoint_id", Uuid)]);
}

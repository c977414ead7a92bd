//! What the database raises about products, orders and wallets.

use crate::shape::Shape;
use crate::shop::checkout::{FULFILLMENTS, ORDER_STATUSES, PAYMENT_METHODS};

const ORDER_STATE: &[(&str, Shape)] = &[
    ("order_id", Shape::Uuid),
    ("status", Shape::Words(ORDER_STATUSES)),
];

const ORDER_AND_GOODS: &[(&str, Shape)] = &[
    ("order_id", Shape::Uuid),
    ("status", Shape::Words(ORDER_STATUSES)),
    ("fulfillment", Shape::Words(FULFILLMENTS)),
];

super::codes! {
    InsufficientFunds 402 Final "INSUFFICIENT_FUNDS"
        "The wallet does not hold enough money."
        "Top up the wallet, or choose another payment_method; details has the balance and the amount."
        known(&[("balance", AMOUNT), ("amount", AMOUNT), ("currency", Currency)]);

    ProductNotFound 404 Final "PRODUCT_NOT_FOUND"
        "A product does not exist or is not for sale."
        "Remove the products in details.product_ids from the cart: they do not exist or are not for sale."
        known(&[("product_ids", List(&Uuid))]);

    OrderNotFound 404 Final "ORDER_NOT_FOUND"
        "There is no such order."
        "Check order_id, and that you are signed in as the user who placed the order."
        known(&[("order_id", Uuid)]);

    UserNotFound 404 Final "USER_NOT_FOUND"
        "There is no such user."
        "Check the user id."
        known(&[("user_id", Uuid)]);

    TransferNotFound 404 Final "TRANSFER_NOT_FOUND"
        "There is no such transfer, or its time is over."
        "Let the guest ask for another token with create_order_transfer; one counts once, for one account."
        Null;

    NotAGuest 409 Final "NOT_A_GUEST"
        "Only what a guest has moves to an account."
        "Nothing has to move: an account that was made of a guest keeps its orders."
        known(&[("user_id", Uuid)]);

    AccountNeeded 409 Final "ACCOUNT_NEEDED"
        "What a guest has moves to an account, and this is a guest."
        "Sign in to the account first, or make one of this guest with updateUser: then nothing has to move."
        known(&[("user_id", Uuid)]);

    InsufficientInventory 409 Final "INSUFFICIENT_INVENTORY"
        "There is not enough in stock."
        "Lower each quantity in details.shortages to what is available, or remove the line."
        known(&[("shortages", List(&Partly("A product that is short; where, if stock of a location was asked for.", &[
            ("inventory_id", OrNull(&Uuid)), ("product_id", Uuid), ("location_id", Uuid),
            ("requested", Number), ("available", Number),
        ], &["inventory_id", "location_id"])))]);

    ProductOrderLimit 422 Final "PRODUCT_ORDER_LIMIT"
        "An order may not have that many of a product."
        "Lower each quantity in details.limits to its max_per_order."
        known(&[("limits", List(&Object("A product of which there are too many.", &[
            ("product_id", Uuid), ("requested", AMOUNT), ("max_per_order", AMOUNT),
        ])))]);

    ProductCustomerLimit 409 Final "PRODUCT_CUSTOMER_LIMIT"
        "This customer has as many of a product as one may have."
        "Lower each quantity in details.limits to what max_per_customer leaves beside held, which the customer's orders have, or remove the line."
        known(&[("limits", List(&Object("A product of which there would be too many.", &[
            ("product_id", Uuid), ("requested", AMOUNT), ("held", AMOUNT), ("max_per_customer", AMOUNT),
        ])))]);

    ProductNotReservable 422 Final "PRODUCT_NOT_RESERVABLE"
        "A product cannot be reserved."
        "Leave the products in details.product_ids out: digital ones are not reserved, they are bought."
        known(&[("product_ids", List(&Uuid))]);

    ReservationLimit 409 Final "RESERVATION_LIMIT"
        "This customer has reserved things for as long as one may."
        "Let the buyer order without a reservation; from details.again_at on there can be another one."
        known(&[("reserved_since", Time), ("again_at", Time)]);

    ProductCodeNotFound 404 Final "PRODUCT_CODE_NOT_FOUND"
        "There is no such product code."
        "Check the id of the code."
        known(&[("code_id", AMOUNT)]);

    ProductCodeNotDelivered 409 Final "PRODUCT_CODE_NOT_DELIVERED"
        "This code was not delivered to anybody yet."
        "Only a delivered code is replaced: delete a free one, or change it."
        known(&[("code_id", AMOUNT)]);

    ProductCodeReplaced 409 Final "PRODUCT_CODE_REPLACED"
        "This code has been replaced already."
        "The buyer has the code of details.replaced_by; if that one does not work either, replace that."
        known(&[("code_id", AMOUNT), ("replaced_by", AMOUNT), ("replaced_at", Time)]);

    StockChanged 409 Final "STOCK_CHANGED"
        "The stock is no longer what it was when it was counted."
        "Add to your count what details.available differs from details.expected by, or count again; then send details.available as p_expected."
        known(&[("product_id", Uuid), ("expected", AMOUNT), ("available", AMOUNT)]);

    StockNotRelative 409 Final "STOCK_NOT_RELATIVE"
        "Stock cannot be overwritten: what is sold meanwhile would be lost."
        "Call the RPC adjust_stock(p_product_id, p_delta, p_reason, p_reference) for what came or went, or count_stock(p_product_id, p_counted, p_expected) for a count; leave available_quantity out of what you write."
        known(&[("product_id", Uuid), ("available", AMOUNT), ("requested", AMOUNT)]);

    PriceChanged 409 Final "PRICE_CHANGED"
        "A price is not the one that was expected."
        "Show the buyer the prices in details, and send the prices that they agree to."
        Partly("What is known about it.", &[
            ("expected_total", OrNull(&Number)),
            ("total", OrNull(&Number)),
            ("subtotal", AMOUNT),
            ("currency", Currency),
            ("lines", List(&Object("A product of the cart.", &[
                ("product_id", Uuid),
                ("name", Text),
                ("quantity", Number),
                ("unit_price", AMOUNT),
                ("total", AMOUNT),
                ("expected_unit_price", OrNull(&AMOUNT)),
            ]))),
            ("shipping", AMOUNT),
            ("tax", AMOUNT),
        ], &["shipping", "tax"]);

    CartAlreadyOrdered 409 Final "CART_ALREADY_ORDERED"
        "This cart is ordered already."
        "Show the buyer the order in details.order_id; a new cart has a cart_id of its own."
        known(ORDER_STATE);

    TooManyOpenOrders 409 Final "TOO_MANY_OPEN_ORDERS"
        "This customer has as much in unpaid orders as the shop allows."
        "Pay or cancel an order first, order less, or pay with the wallet; details has what is open and the limits, null where there is none."
        known(&[
            ("open_orders", AMOUNT),
            ("max_open_orders", OrNull(&AMOUNT)),
            ("open_units", AMOUNT),
            ("units", AMOUNT),
            ("max_open_units", OrNull(&AMOUNT)),
        ]);

    TooManyPaymentAttempts 409 Final "TOO_MANY_PAYMENT_ATTEMPTS"
        "Payment by card was begun too often for this order."
        "Place a new order, or one with another payment_method; the shop can find out why with list_payments."
        known(&[("order_id", Uuid), ("max_attempts", AMOUNT)]);

    PaymentMethodNotAllowed 422 Final "PAYMENT_METHOD_NOT_ALLOWED"
        "The shop does not take this way of payment."
        "Send one of details.allowed as payment_method."
        known(&[
            ("payment_method", Words(&PAYMENT_METHODS)),
            ("allowed", List(&Words(&PAYMENT_METHODS))),
        ]);

    ShippingMethodNotAvailable 422 Final "SHIPPING_METHOD_NOT_AVAILABLE"
        "The order cannot be sent in this way."
        "Send one of details.available as shipping_method: the shop has these in the currency of the cart."
        known(&[("shipping_method", OrNull(&Text)), ("available", List(&Text))]);

    StockLimitExceeded 409 Final "STOCK_LIMIT_EXCEEDED"
        "A product has no room for more stock."
        "Lower the stock of the products in details.product_ids first: none can have more than details.limit units."
        known(&[("product_ids", List(&Uuid)), ("limit", Number)]);

    OrderNotCancellable 409 Final "ORDER_NOT_CANCELLABLE"
        "This order cannot be cancelled any more."
        "Look at details.status and details.fulfillment: an order that is paid or being sent is cancelled or refunded by the shop, one that has ended cannot be."
        known(ORDER_AND_GOODS);

    OrderStateConflict 409 Final "ORDER_STATE_CONFLICT"
        "The order is not in a state in which this can be done."
        "Look at details.status: the order is not in a state in which this can be done."
        Partly("What is known about it.", ORDER_AND_GOODS, &["fulfillment"]);

    RefundExceedsOrder 409 Final "REFUND_EXCEEDS_ORDER"
        "More would be refunded than is left of the order."
        "Ask for what is refundable at most: details.lines has each line that is too much, details.shipping the shipping that can still go back."
        known(&[
            ("order_id", Uuid),
            ("lines", List(&Object("A line of which not so much is left.", &[
                ("product_id", Uuid), ("requested", AMOUNT), ("refundable", AMOUNT),
            ]))),
            ("shipping", AMOUNT),
        ]);

    ShipmentExceedsOrder 409 Final "SHIPMENT_EXCEEDS_ORDER"
        "More would be sent than is left to be sent."
        "Send what is shippable at most: details.lines has each line that is too much. What was refunded or has left is not sent again, and digital products never are."
        known(&[
            ("order_id", Uuid),
            ("lines", List(&Object("A line of which not so much is left to be sent.", &[
                ("product_id", Uuid), ("requested", AMOUNT), ("shippable", AMOUNT),
            ]))),
        ]);

    OrderOwnerGone 409 Final "ORDER_OWNER_GONE"
        "The account of this order's buyer is gone."
        "Give the money back in another way: an order is not opened again for nobody."
        known(&[("order_id", Uuid)]);

    WalletOwnerGone 409 Final "WALLET_OWNER_GONE"
        "The wallet that this order was paid from is gone with its account."
        "Pay details.amount back in another way, and then call refund_order with p_outside = true."
        known(&[("order_id", Uuid), ("amount", AMOUNT), ("currency", Currency)]);

    UserHasObligations 409 Final "USER_HAS_OBLIGATIONS"
        "This user has open orders or money in the wallet."
        "End the orders in details.open_orders, pay out details.wallet, and call again."
        known(&[
            ("user_id", Uuid),
            ("open_orders", List(&Object("An order that is not at its end.", ORDER_STATE))),
            ("wallet", OrNull(&Object("Money in the wallet.", &[("balance", AMOUNT), ("currency", Currency)]))),
        ]);

    TooManyProofs 409 Final "TOO_MANY_PROOFS"
        "This order has as many payment proofs as it may have."
        "Wait for the shop to decide on the proofs of this order, or ask it; it takes no more of them."
        known(&[("order_id", Uuid), ("max_payment_proofs", AMOUNT)]);

    MixedCurrencies 422 Final "MIXED_CURRENCIES"
        "The products of this cart have different currencies."
        "Check out the products of each currency in details.currencies separately."
        known(&[("currencies", List(&Currency))]);

    CurrencyMismatch 422 Final "CURRENCY_MISMATCH"
        "The wallet holds another currency."
        "A wallet keeps its currency: choose another payment_method, or amounts in details.wallet_currency."
        known(&[("currency", Currency), ("wallet_currency", Currency)]);
}

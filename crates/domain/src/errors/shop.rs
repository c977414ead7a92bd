//! What the database raises about products, orders and wallets.

super::codes! {
    InsufficientFunds 402 Final "INSUFFICIENT_FUNDS"
        "The wallet does not hold enough money."
        "Top up the wallet, or choose another payment_method; details has the balance and the amount."

    ProductNotFound 404 Final "PRODUCT_NOT_FOUND"
        "A product does not exist or is not for sale."
        "Remove the products in details.product_ids from the cart: they do not exist or are not for sale."

    OrderNotFound 404 Final "ORDER_NOT_FOUND"
        "There is no such order."
        "Check order_id, and that you are signed in as the user who placed the order."

    UserNotFound 404 Final "USER_NOT_FOUND"
        "There is no such user."
        "Check the user id."

    InsufficientInventory 409 Final "INSUFFICIENT_INVENTORY"
        "There is not enough in stock."
        "Lower each quantity in details.shortages to what is available, or remove the line."

    OrderNotCancellable 409 Final "ORDER_NOT_CANCELLABLE"
        "This order cannot be cancelled any more."
        "Look at details.status: an order that is paid is cancelled or refunded by the shop, one that has ended cannot be."

    OrderStateConflict 409 Final "ORDER_STATE_CONFLICT"
        "The order is not in a state in which this can be done."
        "Look at details.status: the order is not in a state in which this can be done."

    MixedCurrencies 422 Final "MIXED_CURRENCIES"
        "The products of this cart have different currencies."
        "Check out the products of each currency in details.currencies separately."

    CurrencyMismatch 422 Final "CURRENCY_MISMATCH"
        "The wallet holds another currency."
        "Choose another payment_method, or products in the wallet's currency; details has both."
}

//! What can be asked of a shop.

use super::inventory::{Action, Line};
use super::parked::Park;
use super::sales::Asked;
use super::transfers::{Fate, Goods};
use crate::prove::histories::Reader;
use crate::prove::model::Moment;
use crate::prove::model::keys::{Key, LIFETIME, REFERENCE_LIFETIME};
use std::collections::BTreeMap;
use uuid::Uuid;

/// How an order is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Payment {
    Wallet,
    BankTransfer,
    CashOnDelivery,
    Card,
}

impl Payment {
    /// As it is written.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Wallet => "wallet",
            Self::BankTransfer => "bank_transfer",
            Self::CashOnDelivery => "cash_on_delivery",
            Self::Card => "card",
        }
    }
}

/// What the shop decides about an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Accept,
    Reject,
    Fulfil,
    Refund,
}

impl Decision {
    /// The function in schema `public`, the statuses it may start from, and where it leads.
    pub(crate) fn rule(self) -> (&'static str, &'static [&'static str], &'static str) {
        match self {
            Self::Accept => ("accept_payment", &["pending_payment", "confirmed"], "paid"),
            Self::Reject => ("reject_payment", &["pending_payment"], "cancelled"),
            Self::Fulfil => ("fulfill_order", &["confirmed", "paid"], "fulfilled"),
            Self::Refund => ("refund_order", &["paid", "fulfilled"], "refunded"),
        }
    }
}

/// What a payment provider tells of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// What the order costs has come.
    Money,
    TooMuchMoney,
    Processing,
    Failed,
    Canceled,
}

/// An event of a payment provider.
#[derive(Clone, Debug)]
pub(crate) struct Tidings {
    pub(crate) event: Uuid,
    pub(crate) order: Uuid,
    /// What the order costs.
    pub(crate) total: i64,
    /// The attempt to pay it that the event names.
    pub(crate) attempt: Option<Uuid>,
    /// Whether it is about another payment for the same.
    pub(crate) second: bool,
    pub(crate) news: News,
    /// How many seconds ago it happened.
    pub(crate) age: Moment,
    /// Whether somebody else has signed it.
    pub(crate) forged: bool,
}

impl Tidings {
    /// The provider's id of the event.
    pub(crate) fn event_id(&self) -> String {
        format!("evt_{}", self.event.simple())
    }

    /// The provider's id of the payment.
    pub(crate) fn intent(&self) -> String {
        let which = if self.second { "second_" } else { "" };
        format!("pi_{which}{}", self.attempt.unwrap_or(self.order).simple())
    }

    /// Whether it tells of money.
    pub(crate) fn is_money(&self) -> bool {
        matches!(self.news, News::Money | News::TooMuchMoney)
    }
}

/// What can be asked of a shop. `None` as the caller is the shop itself.
#[derive(Clone, Debug)]
pub(crate) enum Call {
    Checkout {
        buyer: Uuid,
        items: Vec<(Uuid, i64)>,
        code: Option<String>,
        cart: Option<Uuid>,
        payment: Payment,
        /// The total that the buyer has seen.
        expected: Option<i64>,
        key: Option<String>,
    },
    ApplyCode {
        buyer: Uuid,
        code: String,
        items: Vec<(Uuid, i64)>,
        cart: Option<Uuid>,
        dry_run: bool,
    },
    ReleaseCode {
        buyer: Uuid,
        code: String,
        cart: Option<Uuid>,
    },
    Cancel {
        caller: Option<Uuid>,
        order: Uuid,
        key: Option<String>,
    },
    SubmitProof {
        buyer: Uuid,
        order: Uuid,
        file: String,
    },
    Decide {
        order: Uuid,
        decision: Decision,
    },
    /// An order that has expired is brought back, as it was or paid.
    Reopen {
        order: Uuid,
        is_paid: bool,
    },
    /// An attempt to pay an order by card.
    BeginPayment {
        buyer: Uuid,
        order: Uuid,
    },
    /// The payment provider tells of one.
    Tell(Tidings),
    ExpireOrders,
    ExpireHolds,
    TopUp {
        user: Uuid,
        amount: i64,
        reference: Option<Uuid>,
    },
    TakeUnits {
        product: Uuid,
        quantity: i64,
        reference: Option<String>,
    },
    TakeCodes {
        product: Uuid,
        quantity: i64,
        order: Uuid,
        reference: Option<String>,
    },
    /// The first code of that product and order that the buyer has does not work.
    ReplaceCode {
        product: Uuid,
        order: Uuid,
    },
    CountUse {
        promo: Uuid,
        reference: Option<String>,
    },
    Restock {
        product: Uuid,
        quantity: i64,
    },
    /// Stock that came or went, over the API.
    Adjust {
        product: Uuid,
        delta: i64,
        reference: Option<String>,
    },
    /// Stock that was counted while it was `expected`.
    CountStock {
        product: Uuid,
        counted: i64,
        expected: i64,
        reference: Option<String>,
    },
    /// Stock in the store and in the web shop is changed, all lines or none.
    Manage {
        action: Action,
        lines: Vec<Line>,
        key: Option<String>,
    },
    /// Goods move from one location to another, or are sent.
    Transfer {
        from: Uuid,
        to: Uuid,
        goods: Goods,
        in_transit: bool,
        key: Option<String>,
    },
    /// What has become of goods that were sent.
    Book {
        transfer: Uuid,
        fate: Fate,
        goods: Goods,
        key: Option<String>,
    },
    /// A till takes of stock, in thousandths.
    SellAtTill {
        stock: Uuid,
        quantity: i64,
        reference: Option<String>,
    },
    LookAtInventory {
        stocks: Vec<Uuid>,
    },
    /// A sale at a till.
    Sell(Asked),
    /// A cart is put aside.
    Park(Park),
    Resume {
        parked: Uuid,
        register: Uuid,
    },
    Discard {
        parked: Uuid,
    },
    VoidSale {
        sale: Uuid,
    },
    OpenShift {
        register: Uuid,
    },
    CloseShift {
        shift: Uuid,
        counted: i64,
    },
    /// Breakage, by the shop's own SQL.
    WriteOff {
        product: Uuid,
        quantity: i64,
    },
    SetStockSlots {
        product: Uuid,
        slots: i64,
    },
    SetPromoSlots {
        promo: Uuid,
        slots: i64,
    },
    /// What pg_cron does every minute.
    Settle,
    /// Stock, balances, uses and statuses, all at one moment.
    Look,
    /// The stock, as a customer reads it over HTTP in the products themselves.
    LookAtShelf,
    /// The stock and the numbers of slots, from the function that knows them.
    LookAtStock {
        reader: Reader,
    },
    /// Not a call of anybody's: between two rounds of calls the time changes.
    ClockMoves {
        to: Moment,
    },
}

impl Call {
    /// Whether it has an idempotency key or a reference.
    pub(crate) fn is_keyed(&self) -> bool {
        self.key().is_some()
    }

    /// The idempotency key or reference: the shop's own calls count as the nil user's.
    pub(super) fn key(&self) -> Option<Key> {
        match self {
            Self::Checkout { buyer, key, .. } => Some((*buyer, "checkout", key.clone()?)),
            Self::Cancel { caller, key, .. } => {
                Some((caller.unwrap_or_default(), "cancel_order", key.clone()?))
            }
            Self::Manage { key, .. } | Self::Transfer { key, .. } | Self::Book { key, .. } => {
                Some((Uuid::nil(), "manage_inventory", key.clone()?))
            }
            // It is the register's.
            Self::Sell(asked) => Some((asked.register, "pos_sale", asked.key.clone()?)),
            _ => {
                let (operation, reference) = self.reference()?;
                Some((Uuid::nil(), operation, reference.clone()))
            }
        }
    }

    /// The reference of the shop's own code, and what it is a reference for.
    fn reference(&self) -> Option<(&'static str, &String)> {
        let (operation, reference) = match self {
            Self::TakeUnits { reference, .. } => ("decrement_product_quantity", reference),
            Self::TakeCodes { reference, .. } => ("claim_product_codes_atomic", reference),
            Self::SellAtTill { reference, .. } => ("decrement_inventory", reference),
            Self::CountUse { reference, .. } => ("increment_promo_usage", reference),
            Self::Adjust { reference, .. } => ("adjust_stock", reference),
            Self::CountStock { reference, .. } => ("count_stock", reference),
            Self::Park(Park { reference, .. }) => ("park_sale", reference),
            _ => return None,
        };
        Some((operation, reference.as_ref()?))
    }

    /// How long its answer is remembered, if it has a key.
    pub(super) fn remembered(&self) -> Moment {
        match self.reference() {
            Some(_) => REFERENCE_LIFETIME,
            // For ever.
            None if matches!(self, Self::Sell(_)) => 100 * REFERENCE_LIFETIME,
            None => LIFETIME,
        }
    }

    /// What must be the same when it is sent again under the same key.
    pub(super) fn request(&self) -> String {
        match self {
            Self::Checkout {
                items,
                code,
                cart,
                payment,
                key: Some(_),
                ..
            } => {
                // The order of the lines does not matter, nor how they are divided, nor what was expected.
                let mut sums: BTreeMap<Uuid, i64> = BTreeMap::new();
                for (product, quantity) in items {
                    *sums.entry(*product).or_default() += quantity;
                }
                format!("{sums:?} {code:?} {cart:?} {payment:?}")
            }
            Self::Cancel {
                order,
                key: Some(_),
                ..
            } => order.to_string(),
            Self::Manage { key: Some(_), .. }
            | Self::Sell(Asked { key: Some(_), .. })
            | Self::Transfer { key: Some(_), .. }
            | Self::Book { key: Some(_), .. } => format!("{self:?}"),
            // All that it says, its reference too.
            _ if self.reference().is_some() => format!("{self:?}"),
            _ => String::new(),
        }
    }
}

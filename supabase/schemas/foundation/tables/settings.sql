-- What a shop may tune: one row, one typed column for each setting. A change counts from the next statement on and
-- never touches leases, holds and deadlines that already run:
--
--   update interlock.settings set claim_lease = '20 minutes';
create table interlock.settings (
  singleton boolean not null default true
    constraint settings_pkey primary key
    constraint settings_single_row check (singleton),
  claim_lease interval not null default '15 minutes'
    constraint settings_claim_lease_sane
      check (claim_lease between interval '1 second' and interval '1 day'),
  started_lease interval not null default '4 hours'
    constraint settings_started_lease_sane
      check (started_lease between interval '1 second' and interval '7 days'),
  promo_hold interval not null default '15 minutes'
    constraint settings_promo_hold_sane
      check (promo_hold between interval '1 second' and interval '1 day'),
  promo_hold_limit interval not null default '1 hour'
    constraint settings_promo_hold_limit_sane
      check (promo_hold_limit between interval '1 second' and interval '90 days'),
  idempotency_key_lifetime interval not null default '24 hours'
    constraint settings_idempotency_key_lifetime_sane
      check (idempotency_key_lifetime between interval '24 hours' and interval '90 days'),
  reference_lifetime interval not null default '1 year'
    constraint settings_reference_lifetime_sane
      check (reference_lifetime between interval '90 days' and interval '100 years'),
  payment_window interval not null default '24 hours'
    constraint settings_payment_window_sane
      check (payment_window between interval '1 minute' and interval '90 days'),
  checkouts_per_product int
    constraint settings_checkouts_per_product_positive check (checkouts_per_product > 0),

  -- Payment proofs.
  max_payment_proofs int not null default 5
    constraint settings_max_payment_proofs_sane check (max_payment_proofs between 1 and 100),
  review_window interval default '7 days'
    constraint settings_review_window_sane
      check (review_window between interval '1 minute' and interval '365 days'),

  -- Goods that are promised and not paid for.
  payment_methods text[] not null default '{wallet,bank_transfer,cash_on_delivery}'
    constraint settings_payment_methods_known check (
      payment_methods <@ array['wallet', 'bank_transfer', 'cash_on_delivery', 'card'] and cardinality(payment_methods) > 0
    ),
  max_open_orders_per_customer int default 5
    constraint settings_max_open_orders_sane check (max_open_orders_per_customer between 1 and 1000),
  max_open_units_per_customer int default 100
    constraint settings_max_open_units_sane check (max_open_units_per_customer between 1 and interlock.most_units()),
  confirmation_window interval default '7 days'
    constraint settings_confirmation_window_sane
      check (confirmation_window between interval '1 minute' and interval '90 days'),

  -- Payment by card.
  card_payment_window interval not null default '30 minutes'
    constraint settings_card_payment_window_sane
      check (card_payment_window between interval '1 minute' and interval '30 days'),
  card_processing_window interval not null default '1 day'
    constraint settings_card_processing_window_sane
      check (card_processing_window between interval '1 minute' and interval '30 days'),
  late_payments text not null default 'reopen_expired'
    constraint settings_late_payments_known check (late_payments in ('reopen', 'reopen_expired', 'refund')),

  -- Carts that are reserved before they are ordered.
  cart_reservation_window interval not null default '10 minutes'
    constraint settings_cart_reservation_window_sane
      check (cart_reservation_window between interval '1 second' and interval '1 day'),
  cart_reservation_limit interval not null default '30 minutes'
    constraint settings_cart_reservation_limit_sane
      check (cart_reservation_limit between interval '1 second' and interval '7 days'),

  -- Shipping and tax.
  shipping_required boolean not null default false,
  tax_country interlock.country_code,
  taxed boolean not null default false,

  -- Guests.
  transfer_lifetime interval not null default '1 hour'
    constraint settings_transfer_lifetime_sane
      check (transfer_lifetime between interval '1 minute' and interval '7 days'),

  -- How large the parts of histories are (interlock.make_history_parts).
  history_part_rows bigint default 5000000
    constraint settings_history_part_rows_sane check (history_part_rows between 1000 and 1000000000),

  -- How long history is kept (interlock.purge_history, interlock.archive_history).
  keep_promo_attempts interval default '1 day'
    constraint settings_keep_promo_attempts_sane
      check (keep_promo_attempts between interval '1 hour' and interval '100 years'),
  keep_promo_holds interval default '90 days'
    constraint settings_keep_promo_holds_sane
      check (keep_promo_holds between interval '1 day' and interval '100 years'),
  keep_batch_events interval default '1 year'
    constraint settings_keep_batch_events_sane
      check (keep_batch_events between interval '1 day' and interval '100 years'),
  keep_order_events interval
    constraint settings_keep_order_events_sane
      check (keep_order_events between interval '1 day' and interval '100 years'),
  keep_payment_proofs interval
    constraint settings_keep_payment_proofs_sane
      check (keep_payment_proofs between interval '1 day' and interval '100 years'),
  close_ledgers_after interval default '90 days'
    constraint settings_close_ledgers_after_sane
      check (close_ledgers_after between interval '1 day' and interval '100 years'),
  keep_stock_movements interval
    constraint settings_keep_stock_movements_sane
      check (keep_stock_movements between interval '1 day' and interval '100 years'),
  keep_wallet_movements interval
    constraint settings_keep_wallet_movements_sane
      check (keep_wallet_movements between interval '1 day' and interval '100 years'),
  -- A provider sends an event again for up to a month.
  keep_payment_events interval default '1 year'
    constraint settings_keep_payment_events_sane
      check (keep_payment_events between interval '30 days' and interval '100 years'),

  -- Stock at locations.
  keep_inventory_conflicts interval default '90 days'
    constraint settings_keep_inventory_conflicts_sane
      check (keep_inventory_conflicts between interval '1 hour' and interval '100 years'),

  -- Events.
  keep_events interval default '90 days'
    constraint settings_keep_events_sane
      check (keep_events between interval '1 day' and interval '100 years'),
  keep_deliveries interval default '30 days'
    constraint settings_keep_deliveries_sane
      check (keep_deliveries between interval '1 day' and interval '100 years'),
  deliver_url text
    constraint settings_deliver_url_format check (deliver_url ~ '^https?://[^[:space:]]+$'),
  webhooks_anywhere boolean not null default false,

  -- Tills.
  max_cashier_discount numeric default 10
    constraint settings_max_cashier_discount_sane check (max_cashier_discount between 0 and 100),
  hold_parked_stock boolean not null default false,
  parked_sale_limit interval default '30 days'
    constraint settings_parked_sale_limit_sane
      check (parked_sale_limit between interval '1 minute' and interval '100 years'),
  keep_parked_sales interval default '90 days'
    constraint settings_keep_parked_sales_sane
      check (keep_parked_sales between interval '1 day' and interval '100 years'),

  -- The warehouse.
  pick_lease interval not null default '30 minutes'
    constraint settings_pick_lease_sane check (pick_lease between interval '1 second' and interval '1 day'),
  short_lines text not null default 'shorten'
    constraint settings_short_lines_known check (short_lines in ('shorten', 'wait')),
  session_idle interval default '48 hours'
    constraint settings_session_idle_sane check (session_idle between interval '1 hour' and interval '100 years'),
  keep_packing_scans interval
    constraint settings_keep_packing_scans_sane check (keep_packing_scans between interval '1 day' and interval '100 years'),

  -- Customers and their points.
  phone_prefix text
    constraint settings_phone_prefix_format check (phone_prefix ~ '^\+[1-9][0-9]{0,3}$'),
  points_authority text not null default 'shop'
    constraint settings_points_authority_known check (points_authority in ('shop', 'outside')),
  tier_basis text not null default 'points'
    constraint settings_tier_basis_known check (tier_basis in ('points', 'turnover')),
  tier_window interval
    constraint settings_tier_window_sane check (tier_window between interval '1 day' and interval '100 years'),

  -- Receipts.
  shop_name text
    constraint settings_shop_name_readable check (interlock.is_line(shop_name, 100)),
  shop_address text
    constraint settings_shop_address_readable check (interlock.is_line(replace(shop_address, E'\n', ' '), 500)),
  shop_tax_id text
    constraint settings_shop_tax_id_readable check (interlock.is_line(shop_tax_id, 50)),
  shop_time_zone text not null default 'UTC'
    constraint settings_shop_time_zone_known check (interlock.is_time_zone(shop_time_zone)),
  receipt_footer text
    constraint settings_receipt_footer_readable check (interlock.is_line(replace(receipt_footer, E'\n', ' '), 500)),
  receipt_language text not null default 'en'
    constraint settings_receipt_language_known check (receipt_language in ('en', 'de'))
);

comment on table interlock.settings is
  'One row: what a shop may tune. Changed with `update interlock.settings set …`.';
comment on column interlock.settings.singleton is
  'Always true: there is one row.';
comment on column interlock.settings.claim_lease is
  'How long a claimed batch stays with its driver unless the lease is renewed (1 second to 1 day).';
comment on column interlock.settings.started_lease is
  'How long a batch stays with its driver once it is started, counted from the start or the latest renewal (1 second to 7 days).';
comment on column interlock.settings.promo_hold is
  'How long public.validate_promo holds a use of a code for a cart (1 second to 1 day), within promo_hold_limit.';
comment on column interlock.settings.promo_hold_limit is
  'How long one customer may hold a code in all, however often they refresh it; then they hold none for as long (1 second to 90 days).';
comment on column interlock.settings.idempotency_key_lifetime is
  'How long an Idempotency-Key is remembered (24 hours to 90 days).';
comment on column interlock.settings.reference_lifetime is
  'How long a p_reference of the shop''s own code is remembered (90 days to 100 years).';
comment on column interlock.settings.payment_window is
  'How long an order by bank transfer waits for its payment (1 minute to 90 days).';
comment on column interlock.settings.checkouts_per_product is
  'How many checkouts of one product may run at a time; null means no limit. A fifth to a third of the connections that the API has is a good number.';

comment on column interlock.settings.max_payment_proofs is
  'How many payment proofs, and how many uploaded files, one order may have (1 to 100).';
comment on column interlock.settings.review_window is
  'How long an order with a payment proof waits for the shop to decide before it expires (1 minute to 365 days); null means for ever.';

comment on column interlock.settings.payment_methods is
  'How orders may be paid: any of wallet, bank_transfer, cash_on_delivery and card. All but card at first: that needs an account with a provider (docs/payments.md).';
comment on column interlock.settings.max_open_orders_per_customer is
  'How many orders one customer may have that are not paid yet (1 to 1000); null means no limit.';
comment on column interlock.settings.max_open_units_per_customer is
  'How many units one customer may have in orders that are not paid yet (1 to 1000000000); null means no limit.';
comment on column interlock.settings.confirmation_window is
  'How long a cash-on-delivery order waits for the shop to go on with it (process_order, ship_order, accept_payment) before it expires (1 minute to 90 days); null means for ever.';

comment on column interlock.settings.card_payment_window is
  'How long an order by card waits for its payment (1 minute to 30 days).';
comment on column interlock.settings.card_processing_window is
  'How long it waits once the provider is deciding about a payment, counted from then (1 minute to 30 days).';
comment on column interlock.settings.late_payments is
  'What money does that comes after its order has ended: reopen (take the goods again, if all are there), reopen_expired (the same, but not for an order that was cancelled), refund. What pays no order is in list_payments(''refund_due'').';

comment on column interlock.settings.cart_reservation_window is
  'How long reserve_cart keeps a cart unless it is called again (1 second to 1 day), within cart_reservation_limit.';
comment on column interlock.settings.cart_reservation_limit is
  'How long one customer may keep things without an order in all, however often they refresh; then nothing for as long (1 second to 7 days).';

comment on column interlock.settings.shipping_required is
  'Whether a checkout of anything physical has to name a shipping method.';
comment on column interlock.settings.tax_country is
  'The country whose taxes are charged where an order has no address that says one; null means the rates without a country.';
comment on column interlock.settings.taxed is
  'Whether there are tax rates; kept by a trigger of that table, so that a shop without them never looks.';

comment on column interlock.settings.transfer_lifetime is
  'How long the token counts by which a guest''s orders move to the account they sign in to (1 minute to 7 days).';

comment on column interlock.settings.history_part_rows is
  'How many positions a part of a history has that is made from now on (1000 to 1000000000); null: no more parts are made.';
comment on column interlock.settings.keep_promo_attempts is
  'How long guesses at promo codes are kept (1 hour to 100 years); null means for ever.';
comment on column interlock.settings.keep_promo_holds is
  'How long uses of promo codes that came to nothing are kept, from their end on (1 day to 100 years); null means for ever.';
comment on column interlock.settings.keep_batch_events is
  'How long the history of batches that are at their end is kept (1 day to 100 years); null means for ever.';
comment on column interlock.settings.keep_order_events is
  'How long the history of orders that are at their end is kept (1 day to 100 years); null, as at first, means for ever.';
comment on column interlock.settings.keep_payment_proofs is
  'How long payment proofs are kept once they are decided and their order is paid for or at its end (1 day to 100 years); null, as at first, means for ever.';
comment on column interlock.settings.close_ledgers_after is
  'How old movements of stock and wallets are when interlock.close_ledgers adds them to closed balances (1 day to 100 years); null means never.';
comment on column interlock.settings.keep_stock_movements is
  'How long movements of stock are kept once they are closed (1 day to 100 years); null, as at first, means for ever.';
comment on column interlock.settings.keep_wallet_movements is
  'How long movements of wallets are kept once they are closed (1 day to 100 years); null, as at first, means for ever.';
comment on column interlock.settings.keep_payment_events is
  'How long events of payment providers are kept, from their coming on (30 days to 100 years); null means for ever.';

comment on column interlock.settings.keep_inventory_conflicts is
  'How long it is kept that a stock was no longer what had been read (1 hour to 100 years); null means for ever.';
comment on column interlock.settings.keep_events is
  'How long events are kept (1 day to 100 years), unless a delivery of theirs is kept longer; null means for ever.';
comment on column interlock.settings.keep_deliveries is
  'How long it is kept what was sent to endpoints, from its end on (1 day to 100 years); null means for ever.';
comment on column interlock.settings.deliver_url is
  'Where the function deliver is, for pg_cron and pg_net to call it; null: something else does.';
comment on column interlock.settings.webhooks_anywhere is
  'For development: whether webhooks may be sent to any http or https URL, an address of the own network too.';

comment on column interlock.settings.max_cashier_discount is
  'How much of a line''s price a cashier may take off, in per cent (0 to 100); null means all of it. Managers and staff are not limited.';
comment on column interlock.settings.hold_parked_stock is
  'Whether a parked sale keeps its goods for itself, where park_sale does not say.';
comment on column interlock.settings.parked_sale_limit is
  'How long a parked sale waits, where park_sale does not say (1 minute to 100 years): then it ends, and its goods are on the shelf again; null means for ever.';
comment on column interlock.settings.keep_parked_sales is
  'How long parked sales are kept that have ended (1 day to 100 years); null means for ever.';

comment on column interlock.settings.pick_lease is
  'How long a picker has the products of a session that they have claimed, counted from the latest pick (1 second to 1 day).';
comment on column interlock.settings.short_lines is
  'What becomes of units of an order that could not be packed: shorten (they are taken off the order, and paid back), or wait (the order stays partly_shipped, and they go into another session).';
comment on column interlock.settings.session_idle is
  'How long nobody may have done anything in a picking session before it is abandoned (1 hour to 100 years); null means for ever.';
comment on column interlock.settings.keep_packing_scans is
  'How long scans of picking sessions that have ended are kept (1 day to 100 years); null, as at first, means for ever.';

comment on column interlock.settings.phone_prefix is
  'The country of phone numbers that are typed without one, such as +49; null: they are refused.';
comment on column interlock.settings.points_authority is
  'Who keeps the points: the shop, by points_rules; or somebody outside, such as a CRM, whose numbers adjust_points brings in. Then sales earn nothing here.';
comment on column interlock.settings.tier_basis is
  'What counts towards a tier: points that were earned, or turnover in minor units.';
comment on column interlock.settings.tier_window is
  'How far back it counts (1 day to 100 years); null means for ever.';

comment on column interlock.settings.shop_name is
  'What receipts begin with; null: the name of the location.';
comment on column interlock.settings.shop_address is
  'The address on receipts, line by line.';
comment on column interlock.settings.shop_tax_id is
  'The shop''s tax number on receipts.';
comment on column interlock.settings.shop_time_zone is
  'The time zone of dates on receipts, such as Europe/Berlin.';
comment on column interlock.settings.receipt_footer is
  'What receipts end with, line by line: thanks, or how goods are returned.';
comment on column interlock.settings.receipt_language is
  'The language of receipts that are asked for without one: en or de.';

alter table interlock.settings enable row level security;

grant select, update on table interlock.settings to service_role;

insert into interlock.settings default values;

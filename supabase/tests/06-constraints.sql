-- What a table refuses, whoever asks and whatever code runs: each line is a statement and the
-- constraint, column or table that must stand in its way. The commoner ones are in the files about
-- their tables; here is the rest.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(87);
-- Else what refers to accounts waits, where there are many shops, and a table that waits is not altered.
set constraints all immediate;

insert into auth.users (id, aud, role, email)
values ('06000000-0000-4000-8000-000000000001', 'authenticated', 'authenticated', 'tap-06@example.com');
insert into interlock.products (id, name, price, currency, available_quantity)
values ('06000000-0000-4000-8000-000000000002', 'Tea', 700, 'USD', 5);
insert into interlock.products (id, name, price, currency, kind)
values ('06000000-0000-4000-8000-000000000003', 'Book', 700, 'USD', 'digital');
insert into interlock.orders (id, user_id, status, currency, subtotal, total, payment_method)
values ('06000000-0000-4000-8000-000000000004', '06000000-0000-4000-8000-000000000001', 'confirmed', 'USD', 700, 700, 'cash_on_delivery');
insert into interlock.product_codes (product_id, code) values ('06000000-0000-4000-8000-000000000003', 'x');
insert into interlock.promo_codes (id, code, discount_type, discount_value)
values ('06000000-0000-4000-8000-000000000005', 'TAP06', 'percentage', 10);
insert into interlock.promo_redemptions (id, promo_id, user_id, status, discount, held_until)
values ('06000000-0000-4000-8000-000000000006', '06000000-0000-4000-8000-000000000005',
  '06000000-0000-4000-8000-000000000001', 'held', 1, now());
insert into interlock.promo_code_products
values ('06000000-0000-4000-8000-000000000005', '06000000-0000-4000-8000-000000000002');

-- What refuses a statement; null if nothing does. Ids are short: {1} to {6}, {9} is nobody's.
create function pg_temp.refusal(p_sql text)
returns text
language plpgsql
as $$
declare
  v_constraint text;
  v_column text;
  v_table text;
begin
  execute regexp_replace(p_sql, '\{([0-9])\}', '''06000000-0000-4000-8000-00000000000\1''', 'g');
  return null;
exception
  when integrity_constraint_violation then
    get stacked diagnostics v_constraint = constraint_name, v_column = column_name, v_table = table_name;
    return coalesce(nullif(v_constraint, ''), nullif(v_column, ''), v_table);
end
$$;

select is(pg_temp.refusal(sql), refused_by, refused_by || ': ' || left(sql, 60))
from (values
  ($$insert into interlock.idempotency_keys values ({1}, 'o', 'k', null, null, now(), now())$$, 'request_hash'),
  ($$insert into interlock.idempotency_keys values ({1}, 'o', 'k', '', null, null, now())$$, 'created_at'),
  ($$insert into interlock.idempotency_keys values ({1}, 'o', 'k', '', null, now(), null)$$, 'expires_at'),
  ($$insert into interlock.idempotency_keys values ({1}, 'o', 'ü', '', null, now(), now())$$, 'idempotency_key_format'),
  ($$insert into interlock.idempotency_keys values ({1}, 'o', repeat('k', 256), '', null, now(), now())$$, 'idempotency_key_format'),
  ($$update interlock.settings set idempotency_key_lifetime = null$$, 'idempotency_key_lifetime'),
  ($$update interlock.settings set reference_lifetime = null$$, 'reference_lifetime'),
  ($$update interlock.settings set reference_lifetime = '89 days'$$, 'settings_reference_lifetime_sane'),
  ($$update interlock.settings set payment_window = null$$, 'payment_window'),
  ($$update interlock.settings set promo_hold = null$$, 'promo_hold'),
  ($$update interlock.settings set promo_hold_limit = null$$, 'promo_hold_limit'),
  ($$update interlock.settings set idempotency_key_lifetime = '23 hours'$$, 'settings_idempotency_key_lifetime_sane'),
  ($$update interlock.settings set payment_window = '1 second'$$, 'settings_payment_window_sane'),
  ($$update interlock.settings set shop_name = ''$$, 'settings_shop_name_readable'),
  ($$update interlock.settings set shop_name = E'a\nb'$$, 'settings_shop_name_readable'),
  ($$update interlock.settings set shop_address = E'a\tb'$$, 'settings_shop_address_readable'),
  ($$update interlock.settings set shop_address = repeat('a', 501)$$, 'settings_shop_address_readable'),
  ($$update interlock.settings set shop_tax_id = repeat('1', 51)$$, 'settings_shop_tax_id_readable'),
  ($$update interlock.settings set shop_time_zone = 'UTC+2'$$, 'settings_shop_time_zone_known'),
  ($$update interlock.settings set shop_time_zone = null$$, 'shop_time_zone'),
  ($$update interlock.settings set receipt_footer = E'\n'$$, 'settings_receipt_footer_readable'),
  ($$update interlock.settings set receipt_language = 'fr'$$, 'settings_receipt_language_known'),
  ($$update interlock.settings set receipt_language = null$$, 'receipt_language'),
  ($$update interlock.settings set max_payment_proofs = 0$$, 'settings_max_payment_proofs_sane'),
  ($$update interlock.settings set max_payment_proofs = 101$$, 'settings_max_payment_proofs_sane'),
  ($$update interlock.settings set max_payment_proofs = null$$, 'max_payment_proofs'),
  ($$update interlock.settings set review_window = '1 second'$$, 'settings_review_window_sane'),
  ($$update interlock.settings set review_window = '366 days'$$, 'settings_review_window_sane'),
  ($$update interlock.settings set payment_methods = null$$, 'payment_methods'),
  ($$update interlock.settings set card_processing_window = null$$, 'card_processing_window'),
  ($$update interlock.settings set card_processing_window = '59 seconds'$$, 'settings_card_processing_window_sane'),
  ($$update interlock.settings set card_processing_window = '31 days'$$, 'settings_card_processing_window_sane'),
  ($$update interlock.settings set payment_methods = '{}'$$, 'settings_payment_methods_known'),
  ($$update interlock.settings set payment_methods = '{wallet,gold}'$$, 'settings_payment_methods_known'),
  ($$update interlock.settings set max_open_orders_per_customer = 0$$, 'settings_max_open_orders_sane'),
  ($$update interlock.settings set max_open_orders_per_customer = 1001$$, 'settings_max_open_orders_sane'),
  ($$update interlock.settings set max_open_units_per_customer = 0$$, 'settings_max_open_units_sane'),
  ($$update interlock.settings set max_open_units_per_customer = 1000000001$$, 'settings_max_open_units_sane'),
  ($$update interlock.settings set confirmation_window = '1 second'$$, 'settings_confirmation_window_sane'),
  ($$update interlock.settings set confirmation_window = '91 days'$$, 'settings_confirmation_window_sane'),
  ($$update interlock.settings set transfer_lifetime = null$$, 'transfer_lifetime'),
  ($$update interlock.settings set transfer_lifetime = '59 seconds'$$, 'settings_transfer_lifetime_sane'),
  ($$update interlock.settings set transfer_lifetime = '8 days'$$, 'settings_transfer_lifetime_sane'),
  ($$update interlock.settings set promo_hold = '2 days'$$, 'settings_promo_hold_sane'),
  ($$insert into interlock.promo_attempts values ({1}, null)$$, 'attempted_at'),
  ($$insert into interlock.promo_attempts values ({1}, '{}')$$, 'promo_attempts_bounded'),
  ($$insert into interlock.promo_attempts values ({1}, array_fill(now(), array[21]))$$, 'promo_attempts_bounded'),
  ($$insert into interlock.order_events (order_id, event) values ({4}, 'lost')$$, 'order_events_event_known'),
  ($$insert into interlock.order_events overriding system value select * from interlock.order_events limit 1$$, 'order_events_0_pkey'),
  ($$insert into interlock.order_items values ({4}, {2}, 1, 700, 'Tea', 'liquid')$$, 'products_kind_known'),
  ($$insert into interlock.order_items values ({4}, {2}, 1, -1, 'Tea', 'physical')$$, 'amount_nonnegative'),
  ($$insert into interlock.order_items values ({9}, {2}, 1, 700, 'Tea', 'physical')$$, 'order_items_order_id_fkey'),
  ($$insert into interlock.orders (status, currency, subtotal, total, payment_method) values ('confirmed', 'usd', 1, 1, 'cash_on_delivery')$$, 'currency_code_format'),
  ($$insert into interlock.orders (status, currency, subtotal, total, payment_method, counted_units) values ('confirmed', 'USD', 1, 1, 'cash_on_delivery', 0)$$, 'positive_count_range'),
  ($$insert into interlock.customer_open_orders values ({1}, -1, 0)$$, 'unit_count_nonnegative'),
  ($$insert into interlock.customer_open_orders values ({1}, 1, -1)$$, 'unit_count_nonnegative'),
  ($$insert into interlock.customer_open_orders (user_id) values ({1}), ({1})$$, 'customer_open_orders_pkey'),
  ($$insert into interlock.payment_proofs (order_id, object_path, status) values ({4}, 'x', 'accepted')$$, 'payment_proofs_decided_has_time'),
  ($$insert into interlock.payment_proofs (order_id, object_path) values ({4}, '')$$, 'payment_proofs_object_path_length'),
  ($$insert into interlock.payment_proofs (order_id, object_path) values ({9}, 'x')$$, 'payment_proofs_order_id_fkey'),
  ($$insert into interlock.payment_proofs (order_id, object_path, status, decided_at) values ({4}, 'x', 'lost', now())$$, 'payment_proofs_status_known'),
  ($$insert into interlock.payment_proofs (order_id, object_path, reason) values ({4}, 'x', 'y')$$, 'payment_proofs_reason_of_rejection'),
  ($$insert into interlock.payment_proofs (id, order_id, object_path) overriding system value values (-6, {4}, 'x'), (-6, {4}, 'y')$$, 'payment_proofs_pkey'),
  ($$insert into interlock.product_codes (id, product_id, code) overriding system value values (-6, {3}, 'y'), (-6, {3}, 'z')$$, 'product_codes_pkey'),
  ($$insert into interlock.promo_code_products values ({5}, {2})$$, 'promo_code_products_pkey'),
  ($$insert into interlock.promo_code_products values ({5}, {9})$$, 'promo_code_products_product_id_fkey'),
  ($$insert into interlock.promo_code_products values ({9}, {2})$$, 'promo_code_products_promo_id_fkey'),
  ($$delete from interlock.products where id = {2}$$, 'promo_code_products_product_id_fkey'),
  ($$insert into interlock.promo_redemptions (id, promo_id, user_id, status, discount, held_until) values ({6}, {9}, {1}, 'held', 1, now())$$, 'promo_redemptions_pkey'),
  ($$insert into interlock.stock_movements overriding system value select * from interlock.stock_movements limit 1$$, 'stock_movements_0_pkey'),
  ($$insert into interlock.wallet_movements (id, user_id, delta, balance_after, currency, reason) overriding system value
     values (-6, {1}, 1, 1, 'USD', 'x'), (-6, {1}, 1, 2, 'USD', 'x')$$, 'wallet_movements_pkey'),
  ($$insert into interlock.stock_movements (product_id, delta, balance_after, reason) values ({2}, 1, 6, '')$$, 'movement_reason_length'),
  ($$insert into interlock.wallet_movements (user_id, delta, balance_after, currency, reason) values ({1}, 1, 1, 'USD', '')$$, 'movement_reason_length'),
  ($$insert into interlock.wallet_top_ups values ('tap', {1}, 1, 'USD'), ('tap', {9}, 2, 'EUR')$$, 'wallet_top_ups_pkey'),
  ($$insert into interlock.order_transfers (token_hash) values ('tap'), ('tap')$$, 'order_transfers_token_key'),
  ($$insert into interlock.counter_slots values ({9}, -1)$$, 'unit_count_nonnegative'),
  ($$insert into interlock.counter_slots values ({9}, 0, 1, -1)$$, 'unit_count_nonnegative'),
  ($$insert into interlock.counter_slots values ({9}, 0, 1, 2)$$, 'counter_slots_used_within_granted'),
  ($$insert into interlock.counter_slots values ({9}, 0, null, 0)$$, 'granted'),
  ($$insert into interlock.counter_slots values ({9}, 0, 0, null)$$, 'used'),
  ($$insert into interlock.counter_slots values ({9}, 0), ({9}, 0)$$, 'counter_slots_pkey'),
  ($$truncate interlock.orders cascade$$, 'orders'),
  ($$truncate interlock.products cascade$$, 'products'),
  ($$truncate interlock.wallet_movements$$, 'wallet_movements'),
  ($$truncate interlock.wallet_top_ups$$, 'wallet_top_ups'),
  ($$truncate interlock.order_items cascade$$, 'order_items'),
  ($$truncate interlock.order_events$$, 'order_events')
) as refusals (sql, refused_by);

select * from finish();
rollback;

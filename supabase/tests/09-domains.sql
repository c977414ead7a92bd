-- Domains: what each of them is made of, what it refuses and under which name, and that nobody who calls has to know
-- of them.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(590);

create temporary view domains as
  select t.oid, t.typname::text as name, format_type(t.typbasetype, t.typtypmod) as base, t.typnotnull, t.typdefault
  from pg_catalog.pg_type t
  where t.typnamespace = 'interlock'::regnamespace and t.typtype = 'd';

select set_eq(
  'select name, base from domains',
  $$
    values
      ('amount', 'bigint'),
      ('answer_text', 'text'),
      ('delivery_state', 'text'),
      ('delivery_channel', 'text'),
      ('mail_kind', 'text'),
      ('mail_kinds', 'text[]'),
      ('mail_address', 'text'),
      ('mail_language', 'text'),
      ('mail_sender', 'text'),
      ('mail_text', 'text'),
      ('mail_html', 'text'),
      ('suppression_reason', 'text'),
      ('order_url', 'text'),
      ('lead_time', 'interval'),
      ('crm_account', 'text'),
      ('crm_body', 'jsonb'),
      ('crm_method', 'text'),
      ('crm_path', 'text'),
      ('event_types', 'text[]'),
      ('http_status', 'integer'),
      ('text/plain', 'text'),
      ('webhook_secret', 'text'),
      ('webhook_url', 'text'),
      ('amount_change', 'bigint'),
      ('barcode', 'text'),
      ('batch_event', 'text'),
      ('batch_status', 'text'),
      ('cash_movement_kind', 'text'),
      ('country_code', 'character(2)'),
      ('currency_code', 'character(3)'),
      ('decimals', 'integer'),
      ('details', 'jsonb'),
      ('discount_type', 'text'),
      ('email_address', 'text'),
      ('event_type', 'text'),
      ('shop_handle', 'text'),
      ('shop_state', 'text'),
      ('finding_kind', 'text'),
      ('finding_status', 'text'),
      ('fulfillment', 'text'),
      ('idempotency_key', 'text'),
      ('label', 'text'),
      ('movement_reason', 'text'),
      ('object_path', 'text'),
      ('order_event', 'text'),
      ('order_status', 'text'),
      ('packing_action', 'text'),
      ('percentage', 'numeric'),
      ('payment_method', 'text'),
      ('payment_flag', 'text'),
      ('payment_proof_status', 'text'),
      ('payment_provider', 'text'),
      ('payment_status', 'text'),
      ('phone_number', 'text'),
      ('picking_order_status', 'text'),
      ('picking_session_status', 'text'),
      ('points', 'bigint'),
      ('points_kind', 'text'),
      ('positive_amount', 'bigint'),
      ('positive_count', 'integer'),
      ('positive_quantity', 'numeric'),
      ('price', 'bigint'),
      ('product_code', 'text'),
      ('product_kind', 'text'),
      ('promo_code', 'text'),
      ('promo_use_status', 'text'),
      ('provider_id', 'text'),
      ('quantity', 'numeric'),
      ('quantity_change', 'numeric'),
      ('receipt_count', 'bigint'),
      ('receipt_prefix', 'text'),
      ('approval_actions', 'text[]'),
      ('parked_sale_status', 'text'),
      ('sale_status', 'text'),
      ('tender_type', 'text'),
      ('refund_status', 'text'),
      ('rejection_reason', 'text'),
      ('row_version', 'bigint'),
      ('signing_secret', 'text'),
      ('slug', 'text'),
      ('stock_limit', 'numeric'),
      ('stock_policy', 'text'),
      ('time_zone', 'text'),
      ('unit_name', 'text'),
      ('unit_change', 'integer'),
      ('unit_count', 'integer'),
      ('webhook_outcome', 'text')
  $$,
  'these are the domains'
);
select is_empty(
  'select name from domains where typnotnull or typdefault is not null',
  'null and defaults are a matter of columns'
);
select is_empty(
  $$
    select d.name
    from domains d
    where not exists (
      select
      from pg_catalog.pg_attribute a
      join pg_catalog.pg_class c on c.oid = a.attrelid and c.relkind in ('r', 'p')
      where a.atttypid = d.oid
    )
    and d.name <> 'text/plain'
  $$,
  'each is the type of a column, but for the one that names a media type'
);

-- What they refuse ----------------------------------------------------------

create temporary table examples (domain text, example text, refused_by text);
insert into examples
values
  ('amount', '0', null),
  ('amount', '9223372036854775807', null),
  ('amount', '-1', 'amount_nonnegative'),
  ('positive_amount', '1', null),
  ('positive_amount', '0', 'positive_amount_range'),
  ('positive_amount', '-1', 'positive_amount_range'),
  ('amount_change', '1', null),
  ('amount_change', '-1', null),
  ('amount_change', '0', 'amount_change_nonzero'),
  ('unit_change', '0', 'unit_change_nonzero'),
  ('stock_limit', '0', null),
  ('stock_limit', '99999999999.999', null),
  ('stock_limit', '100000000000', 'stock_limit_range'),
  ('stock_limit', '-0.001', 'stock_limit_range'),
  ('stock_limit', '0.0001', 'stock_limit_range'),
  ('price', '0', null),
  ('price', '1000000000000', null),
  ('price', '-1', 'products_price_sane'),
  ('price', '1000000000001', 'products_price_sane'),
  ('currency_code', 'EUR', null),
  ('currency_code', 'eur', 'currency_code_format'),
  ('currency_code', 'EU', 'currency_code_format'),
  ('currency_code', 'EU1', 'currency_code_format'),
  ('currency_code', 'ÄÖÜ', 'currency_code_format'),
  ('currency_code', e'EU\n', 'currency_code_format'),
  ('currency_code', '', 'currency_code_format'),
  ('unit_count', '0', null),
  ('unit_count', '2147483647', null),
  ('unit_count', '-1', 'unit_count_nonnegative'),
  ('positive_count', '1', null),
  ('positive_count', '0', 'positive_count_range'),
  ('positive_count', '-1', 'positive_count_range'),
  ('quantity', '0', null),
  ('quantity', '-99999999999.999', null),
  ('quantity', '99999999999.999', null),
  ('quantity', '1.5000', null),
  ('quantity', '100000000000', 'quantity_range'),
  ('quantity', '-100000000000', 'quantity_range'),
  ('quantity', '0.0004', 'quantity_range'),
  ('quantity', 'NaN', 'quantity_range'),
  ('quantity_change', '0.001', null),
  ('quantity_change', '-199999999999.999', null),
  ('quantity_change', '199999999999.999', null),
  ('quantity_change', '0', 'quantity_change_range'),
  ('quantity_change', '0.0004', 'quantity_change_range'),
  ('quantity_change', 'NaN', 'quantity_change_range'),
  ('quantity_change', '200000000000', 'quantity_change_range'),
  ('quantity_change', '-200000000000', 'quantity_change_range'),
  ('positive_quantity', '0.001', null),
  ('positive_quantity', '99999999999.999', null),
  ('positive_quantity', '0', 'positive_quantity_range'),
  ('positive_quantity', '-1', 'positive_quantity_range'),
  ('positive_quantity', '0.0004', 'positive_quantity_range'),
  ('positive_quantity', 'NaN', 'positive_quantity_range'),
  ('positive_quantity', '100000000000', 'positive_quantity_range'),
  ('receipt_count', '0', null),
  ('receipt_count', '-1', 'receipt_count_nonnegative'),
  ('receipt_prefix', 'S-1', null),
  ('receipt_prefix', repeat('X', 10), null),
  ('receipt_prefix', repeat('X', 11), 'registers_receipt_prefix_format'),
  ('approval_actions', '{void,discount}', null),
  ('approval_actions', '{}', 'sale_approvals_actions_known'),
  ('approval_actions', '{gift}', 'sale_approvals_actions_known'),
  ('receipt_prefix', '', 'registers_receipt_prefix_format'),
  ('receipt_prefix', 's1', 'registers_receipt_prefix_format'),
  ('barcode', '4006381333931', null),
  ('barcode', repeat('x', 64), null),
  ('barcode', repeat('x', 65), 'product_barcodes_barcode_format'),
  ('barcode', '', 'product_barcodes_barcode_format'),
  ('barcode', 'a b', 'product_barcodes_barcode_format'),
  ('unit_name', 'kg', null),
  ('unit_name', repeat('ü', 20), null),
  ('unit_name', '', 'unit_name_length'),
  ('unit_name', repeat('x', 21), 'unit_name_length'),
  ('decimals', '0', null),
  ('decimals', '3', null),
  ('decimals', '-1', 'decimals_range'),
  ('decimals', '4', 'decimals_range'),
  ('row_version', '1', null),
  ('row_version', '0', 'row_version_positive'),
  ('label', 'x', null),
  ('label', repeat('ü', 200), null),
  ('label', '', 'label_length'),
  ('label', repeat('x', 201), 'label_length'),
  ('movement_reason', 'x', null),
  ('movement_reason', repeat('ü', 100), null),
  ('movement_reason', '', 'movement_reason_length'),
  ('movement_reason', repeat('x', 101), 'movement_reason_length'),
  ('idempotency_key', ' ', null),
  ('idempotency_key', '~', null),
  ('idempotency_key', repeat('k', 255), null),
  ('idempotency_key', '', 'idempotency_key_format'),
  ('idempotency_key', repeat('k', 256), 'idempotency_key_format'),
  ('idempotency_key', 'ü', 'idempotency_key_format'),
  ('idempotency_key', e'a\x7f', 'idempotency_key_format'),
  ('idempotency_key', e'a\n', 'idempotency_key_format'),
  ('idempotency_key', e'\x1fa', 'idempotency_key_format'),
  ('email_address', 'ada@example.com', null),
  ('email_address', 'ada@example', 'email_address_format'),
  ('email_address', 'a da@example.com', 'email_address_format'),
  ('email_address', repeat('x', 251) || '@b.c', 'email_address_format'),
  ('phone_number', '+491511234567', null),
  ('phone_number', '491511234567', 'phone_number_format'),
  ('phone_number', '+0151123456', 'phone_number_format'),
  ('phone_number', '+4915112345678901', 'phone_number_format'),
  ('points', '0', null),
  ('points', '9007199254740991', null),
  ('points', '-1', 'points_range'),
  ('points', '9007199254740992', 'points_range'),
  ('points_kind', 'taken_back', null),
  ('points_kind', 'gone', 'points_movements_kind_known'),
  ('shop_handle', 'berlin-2', null),
  ('shop_handle', '2-berlin', 'shop_handle_format'),
  ('shop_handle', 'Berlin', 'shop_handle_format'),
  ('shop_handle', 'b' || repeat('x', 63), 'shop_handle_format'),
  ('shop_state', 'moving', null),
  ('shop_state', 'shut', 'shop_state_known'),
  ('event_type', 'order.paid', null),
  ('event_type', 'order', 'event_type_format'),
  ('event_type', 'Order.paid', 'event_type_format'),
  ('event_type', 'order.' || repeat('x', 55), 'event_type_format'),
  ('event_types', '{order.paid}', null),
  ('event_types', '{}', 'event_types_some'),
  ('event_types', array_fill('a.b'::text, array[100])::text, null),
  ('event_types', array_fill('a.b'::text, array[101])::text, 'event_types_some'),
  ('delivery_state', 'pending', null),
  ('delivery_state', 'delivered', null),
  ('delivery_state', 'dead', null),
  ('delivery_state', 'skipped', null),
  ('delivery_channel', 'webhook', null),
  ('delivery_channel', 'email', null),
  ('delivery_channel', 'alpine_iq', null),
  ('delivery_channel', 'crm', null),
  ('delivery_channel', 'fax', 'delivery_channel_known'),
  ('mail_kind', 'order_confirmed', null),
  ('mail_kind', 'payment_received', null),
  ('mail_kind', 'order_shipped', null),
  ('mail_kind', 'order_refunded', null),
  ('mail_kind', 'payment_reminder', null),
  ('mail_kind', 'spam', 'mail_kind_known'),
  ('mail_kinds', '{}', null),
  ('mail_kinds', '{order_shipped,payment_reminder}', null),
  ('mail_kinds', '{order_shipped,spam}', 'mail_kinds_known'),
  ('mail_address', 'a@b.example', null),
  ('mail_address', repeat('a', 244) || '@b.example', null),
  ('mail_address', repeat('a', 245) || '@b.example', 'mail_address_format'),
  ('mail_address', 'a@b', 'mail_address_format'),
  ('mail_address', 'a b@c.example', 'mail_address_format'),
  ('mail_address', 'a@b@c.example', 'mail_address_format'),
  ('mail_language', 'en', null),
  ('mail_language', 'de', null),
  ('mail_language', 'fr', 'mail_language_known'),
  ('mail_sender', 'a@b.example', null),
  ('mail_sender', 'A Shop & Co. <a@b.example>', null),
  ('mail_sender', 'A Shop', 'mail_sender_format'),
  ('mail_sender', E'A\nB <a@b.example>', 'mail_sender_format'),
  ('mail_sender', 'A <a@b.example>, B <b@b.example>', 'mail_sender_format'),
  ('mail_sender', repeat('A', 306) || ' <a@b.example>', null),
  ('mail_sender', repeat('A', 307) || ' <a@b.example>', 'mail_sender_format'),
  ('mail_text', 'a', null),
  ('mail_text', repeat('a', 20000), null),
  ('mail_text', '', 'mail_text_size'),
  ('mail_text', repeat('a', 20001), 'mail_text_size'),
  ('mail_html', 'a', null),
  ('mail_html', repeat('a', 50000), null),
  ('mail_html', '', 'mail_html_size'),
  ('mail_html', repeat('a', 50001), 'mail_html_size'),
  ('suppression_reason', 'bounced', null),
  ('suppression_reason', 'complained', null),
  ('suppression_reason', 'unwanted', null),
  ('suppression_reason', 'spite', 'mail_suppressions_reason_known'),
  ('order_url', 'https://a.example/{order_id}', null),
  ('order_url', 'javascript:alert(1)', 'order_url_format'),
  ('order_url', 'https://a.example/">', 'order_url_format'),
  ('order_url', 'https://a.example/' || repeat('a', 483), 'order_url_format'),
  ('lead_time', '10 minutes', null),
  ('lead_time', '30 days', null),
  ('lead_time', '9 minutes', 'lead_time_sane'),
  ('lead_time', '31 days', 'lead_time_sane'),
  ('crm_method', 'PATCH', null),
  ('crm_method', 'GET', 'crm_method_known'),
  ('crm_path', '/contacts/{{customer.id}}?x=1', null),
  ('crm_path', '@host/', 'crm_path_format'),
  ('crm_path', '/a b', 'crm_path_format'),
  ('crm_path', '/a#b', 'crm_path_format'),
  ('crm_path', '/' || repeat('a', 499), null),
  ('crm_path', '/' || repeat('a', 500), 'crm_path_format'),
  ('crm_body', '{}', null),
  ('crm_body', '[]', 'crm_body_sane'),
  ('crm_body', format('{"a": "%s"}', repeat('a', 20000)), 'crm_body_sane'),
  ('crm_account', 'a-B_4711', null),
  ('crm_account', '../x', 'crm_account_format'),
  ('crm_account', '', 'crm_account_format'),
  ('crm_account', repeat('a', 101), 'crm_account_format'),
  ('delivery_state', 'lost', 'delivery_state_known'),
  ('text/plain', '# EOF', null),
  ('text/plain', '', 'text_plain_not_empty'),
  ('http_status', '100', null),
  ('http_status', '599', null),
  ('http_status', '99', 'http_status_range'),
  ('http_status', '600', 'http_status_range'),
  ('answer_text', repeat('é', 512), null),
  ('answer_text', repeat('é', 512) || 'e', 'answer_text_size'),
  ('webhook_secret', 'whsec_' || repeat('a', 32), null),
  ('webhook_secret', 'whsec_' || repeat('/', 87) || '=', null),
  ('webhook_secret', 'whsec_' || repeat('a', 31), 'webhook_secret_format'),
  ('webhook_secret', 'whsec_' || repeat('a', 89), 'webhook_secret_format'),
  ('webhook_secret', repeat('a', 40), 'webhook_secret_format'),
  ('webhook_secret', 'whsec_' || repeat('-', 40), 'webhook_secret_format'),
  ('webhook_url', 'https://a.example/', null),
  ('webhook_url', 'http://a.example/' || repeat('a', 1983), null),
  ('webhook_url', 'http://a.example/' || repeat('a', 1984), 'webhook_url_format'),
  ('webhook_url', 'ftp://a.example/', 'webhook_url_format'),
  ('country_code', 'DE', null),
  ('country_code', 'de', 'country_code_format'),
  ('country_code', 'D', 'country_code_format'),
  ('country_code', e'D\n', 'country_code_format'),
  ('percentage', '0', null),
  ('percentage', '100', null),
  ('percentage', '8.8751', null),
  ('percentage', '-0.0001', 'percentage_range'),
  ('percentage', '100.0001', 'percentage_range'),
  ('percentage', '8.87511', 'percentage_range'),
  ('slug', 'a-b_1', null),
  ('slug', repeat('x', 40), null),
  ('slug', repeat('x', 41), 'slug_format'),
  ('slug', '', 'slug_format'),
  ('slug', 'A', 'slug_format'),
  ('slug', 'ü', 'slug_format'),
  ('slug', e'a\n', 'slug_format'),
  ('details', '{}', null),
  ('details', jsonb_build_object('k', repeat('x', 4087))::text, null),
  ('details', jsonb_build_object('k', repeat('x', 4088))::text, 'details_object'),
  ('details', '[]', 'details_object'),
  ('details', 'null', 'details_object'),
  ('product_code', 'x', null),
  ('product_code', repeat('ü', 500), null),
  ('product_code', '', 'product_codes_code_length'),
  ('product_code', repeat('x', 501), 'product_codes_code_length'),
  ('object_path', 'x', null),
  ('object_path', repeat('ü', 500), null),
  ('object_path', '', 'payment_proofs_object_path_length'),
  ('object_path', repeat('x', 501), 'payment_proofs_object_path_length'),
  ('rejection_reason', 'x', null),
  ('rejection_reason', repeat('ü', 500), null),
  ('rejection_reason', '', 'payment_proofs_reason_length'),
  ('rejection_reason', repeat('x', 501), 'payment_proofs_reason_length'),
  ('provider_id', 'x', null),
  ('provider_id', 'pi_' || repeat('x', 252), null),
  ('provider_id', '', 'provider_id_format'),
  ('provider_id', 'pi 1', 'provider_id_format'),
  ('provider_id', repeat('x', 256), 'provider_id_format'),
  ('signing_secret', repeat('x', 16), null),
  ('signing_secret', repeat('x', 255), null),
  ('signing_secret', repeat('x', 15), 'payment_secrets_length'),
  ('signing_secret', repeat('x', 256), 'payment_secrets_length'),
  ('promo_code', ' x ', null),
  ('promo_code', '  ' || repeat('ü', 64) || ' ', null),
  ('promo_code', '', 'promo_codes_code_readable'),
  ('promo_code', '  ', 'promo_codes_code_readable'),
  ('promo_code', repeat('x', 65), 'promo_codes_code_readable'),
  ('promo_code', e'a\tb', 'promo_codes_code_readable'),
  ('promo_code', u&'\00a0x\3000', null),
  ('promo_code', u&'\00a0\200b', 'promo_codes_code_readable'),
  ('time_zone', 'UTC', null),
  ('time_zone', 'Europe/Berlin', null),
  ('time_zone', 'America/Argentina/Buenos_Aires', null),
  ('time_zone', 'America/Port-au-Prince', null),
  ('time_zone', '', 'promo_codes_time_zone_known'),
  ('time_zone', 'Europe/Berlinn', 'promo_codes_time_zone_known'),
  ('time_zone', 'Europe/Berlin+2', 'promo_codes_time_zone_known'),
  ('time_zone', 'UTC+2', 'promo_codes_time_zone_known'),
  ('time_zone', '+02', 'promo_codes_time_zone_known'),
  ('time_zone', 'CEST', 'promo_codes_time_zone_known'),
  ('time_zone', e'UTC\n', 'promo_codes_time_zone_known');
insert into examples
select w.domain, e.example, case when e.bad then w.refused_by end
from (values
  ('batch_status', 'batches_status_known', 'available claimed in_progress completed cancelled'),
  ('batch_event', 'batch_events_event_known',
    'created claimed assigned renewed shortened started released expired completed cancelled deleted'),
  ('order_status', 'orders_status_known',
    'pending_payment confirmed paid fulfilled cancelled expired refunded'),
  ('order_event', 'order_events_event_known',
    'pending_payment confirmed paid fulfilled cancelled expired refunded proof_submitted proof_rejected processing shipped corrected tracking_changed'),
  ('finding_kind', 'inventory_findings_kind_known', 'ledger sales reservations open_orders codes slots transfers oversold_offline picked_short'),
  ('picking_session_status', 'picking_sessions_status_known', 'picking packing completed abandoned'),
  ('picking_order_status', 'picking_session_orders_status_known', 'open completed removed cancelled'),
  ('packing_action', 'packing_scans_action_known', 'pick short_pick put_back pack unpack short take_out complete'),
  ('finding_status', 'inventory_findings_status_known', 'open resolved accepted'),
  ('tender_type', 'sale_tenders_type_known', 'cash card'),
  ('parked_sale_status', 'parked_sales_status_known', 'parked resumed sold discarded expired'),
  ('sale_status', 'sales_status_known', 'completed voided'),
  ('cash_movement_kind', 'cash_movements_kind_known', 'paid_in paid_out'),
  ('fulfillment', 'orders_fulfillment_known', 'unfulfilled processing shipped delivered'),
  ('payment_method', 'orders_payment_method_known', 'wallet bank_transfer cash_on_delivery card'),
  ('payment_proof_status', 'payment_proofs_status_known', 'submitted accepted rejected closed'),
  ('payment_provider', 'payments_provider_known', 'stripe'),
  ('payment_status', 'payments_status_known', 'open processing canceled succeeded refund_due refunded flagged'),
  ('payment_flag', 'payments_flag_known', 'wrong_amount wrong_currency unknown_order late paid_otherwise'),
  ('refund_status', 'payment_refunds_status_known', 'pending succeeded failed'),
  ('webhook_outcome', 'payment_events_outcome_known', 'paid reopened refund_due flagged noted ignored'),
  ('promo_use_status', 'promo_redemptions_status_known', 'held redeemed released expired returned'),
  ('discount_type', 'promo_codes_discount_type_known', 'percentage fixed'),
  ('product_kind', 'products_kind_known', 'physical digital'),
  ('stock_policy', 'products_stock_policy_known', 'tracked untracked backorder')
) as w (domain, refused_by, words)
cross join lateral (
  select unnest(string_to_array(w.words, ' ')), false
  union all
  select unnest(array['lost', '', upper(split_part(w.words, ' ', 1)), split_part(w.words, ' ', 1) || ' ']), true
) as e (example, bad);

-- What refuses a value, as `domain constraint`; null if nothing does.
create function pg_temp.refusal(p_domain text, p_example text)
returns text
language plpgsql
as $$
declare
  v_type text;
  v_constraint text;
begin
  execute format('select %L::interlock.%I', p_example, p_domain);
  return null;
exception
  when check_violation then
    get stacked diagnostics v_type = pg_datatype_name, v_constraint = constraint_name;
    return v_type || ' ' || v_constraint;
end
$$;

select is(
  pg_temp.refusal(e.domain, e.example),
  e.domain || ' ' || e.refused_by,
  format('%s %s: %s', e.domain, to_json(left(e.example, 20)), coalesce(e.refused_by, 'fine'))
)
from examples e;
select is(pg_temp.refusal(d.name, null), null, d.name || ' takes null') from domains d order by d.name;

select set_eq(
  'select d.name, k.conname::text from domains d join pg_catalog.pg_constraint k on k.contypid = d.oid',
  'select distinct domain, refused_by from examples where refused_by is not null',
  'every check of a domain has an example above'
);

-- Who meets them --------------------------------------------------------------

-- An argument of a domain's type would be a type in the signature, and a row type brings its columns' types along.
select is_empty(
  $$
    select p.oid::regprocedure, u.type::regtype
    from pg_catalog.pg_proc p
    cross join lateral unnest(coalesce(p.proallargtypes, p.proargtypes::oid[]) || p.prorettype) as u (type)
    join pg_catalog.pg_type t on t.oid = u.type
    left join pg_catalog.pg_type e on e.oid = t.typelem and t.typelem <> 0
    where p.pronamespace in ('public'::regnamespace, 'interlock'::regnamespace)
      and 'd' in (t.typtype, e.typtype)
      and t.typname <> 'text/plain'
  $$,
  'no function has a domain in its signature, but for the one that names the media type of an answer'
);
select is_empty(
  $$
    select p.oid::regprocedure
    from pg_catalog.pg_proc p
    cross join lateral unnest(coalesce(p.proallargtypes, p.proargtypes::oid[]) || p.prorettype) as u (type)
    join pg_catalog.pg_type t on t.oid = u.type and t.typtype = 'c'
    cross join unnest(array['anon', 'authenticated', 'service_role']) as g (role)
    where p.pronamespace in ('public'::regnamespace, 'interlock'::regnamespace)
      and has_function_privilege(g.role, p.oid, 'execute')
      and not exists (select from pg_catalog.pg_depend d where d.objid = p.oid and d.deptype = 'e')
  $$,
  'nor does what the API calls have a row type'
);
select is_empty(
  $$
    select g.role, d.name
    from domains d
    cross join unnest(array['anon', 'authenticated', 'service_role']) as g (role)
    where not has_type_privilege(g.role, d.oid, 'usage')
  $$,
  'whoever may write a column may use its type'
);

select * from finish();
rollback;

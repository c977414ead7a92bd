-- Data for local development: two drivers, a buyer with a wallet, five batches, products, a till and
-- product codes. Safe to run again: stock, codes and balance are only given once.

insert into auth.users (id, aud, role, email, created_at, updated_at)
values
  ('a0000000-0000-4000-8000-00000000000a', 'authenticated', 'authenticated', 'driver-a@example.com', now(), now()),
  ('a0000000-0000-4000-8000-00000000000b', 'authenticated', 'authenticated', 'driver-b@example.com', now(), now()),
  ('b0000000-0000-4000-8000-000000000001', 'authenticated', 'authenticated', 'buyer@example.com', now(), now())
on conflict (id) do nothing;

insert into interlock.drivers (user_id)
values
  ('a0000000-0000-4000-8000-00000000000a'),
  ('a0000000-0000-4000-8000-00000000000b')
on conflict (user_id) do nothing;

insert into interlock.batches (id, priority, reference)
values
  ('ba7c4000-0000-4000-8000-000000000001', 0, 'Morning round, north'),
  ('ba7c4000-0000-4000-8000-000000000002', 10, 'Pharmacy, urgent'),
  ('ba7c4000-0000-4000-8000-000000000003', 5, 'Restaurants, lunch'),
  ('ba7c4000-0000-4000-8000-000000000004', 5, 'Restaurants, dinner'),
  ('ba7c4000-0000-4000-8000-000000000005', 0, 'Morning round, south')
on conflict (id) do nothing;

insert into interlock.products (id, name, price, currency, available_quantity, kind)
values
  ('9d0d0000-0000-4000-8000-000000000001', 'Olive oil, 1 l', 1299, 'EUR', 5, 'physical'),
  ('9d0d0000-0000-4000-8000-000000000002', 'Espresso beans, 500 g', 899, 'EUR', 100, 'physical'),
  ('9d0d0000-0000-4000-8000-000000000003', 'Sea salt, 250 g', 349, 'EUR', 1000, 'physical'),
  ('9d0d0000-0000-4000-8000-000000000004', 'Gift card, 25 EUR', 2500, 'EUR', 0, 'digital'),
  ('9d0d0000-0000-4000-8000-000000000005', 'Enamel mug', 1400, 'USD', 20, 'physical')
on conflict (id) do nothing;

insert into interlock.registers (id, location_id, name, currency, receipt_prefix)
values ('4e600000-0000-4000-8000-000000000001', interlock.online_location(), 'Front till', 'EUR', 'S1')
on conflict (id) do nothing;

insert into interlock.product_barcodes (barcode, product_id)
values ('4006381333931', '9d0d0000-0000-4000-8000-000000000002')
on conflict (barcode) do nothing;

insert into interlock.product_codes (product_id, code)
values
  ('9d0d0000-0000-4000-8000-000000000004', 'GIFT-2S7K-0001'),
  ('9d0d0000-0000-4000-8000-000000000004', 'GIFT-9QXD-0002'),
  ('9d0d0000-0000-4000-8000-000000000004', 'GIFT-5MRA-0003')
on conflict (product_id, code) do nothing;

-- 100.00 EUR; the reference makes it count once.
select public.top_up_wallet(
  'b0000000-0000-4000-8000-000000000001', 10000, 'EUR', '70900000-0000-4000-8000-000000000001'
);

-- Each customer may use each of them once, so of many tabs one succeeds.
insert into interlock.promo_codes (id, code, discount_type, discount_value, currency, max_uses_per_user)
values
  ('c0de0000-0000-4000-8000-000000000001', 'WELCOME10', 'percentage', 10, null, 1),
  ('c0de0000-0000-4000-8000-000000000002', 'SAVE50', 'fixed', 5000, 'EUR', 1)
on conflict do nothing;

-- Data for local development: two drivers, a buyer, five batches. Safe to run again.

insert into auth.users (id, aud, role, email, created_at, updated_at)
values
  ('a0000000-0000-4000-8000-00000000000a', 'authenticated', 'authenticated', 'driver-a@example.com', now(), now()),
  ('a0000000-0000-4000-8000-00000000000b', 'authenticated', 'authenticated', 'driver-b@example.com', now(), now()),
  ('b0000000-0000-4000-8000-000000000001', 'authenticated', 'authenticated', 'buyer@example.com', now(), now())
on conflict (id) do nothing;

insert into public.drivers (user_id)
values
  ('a0000000-0000-4000-8000-00000000000a'),
  ('a0000000-0000-4000-8000-00000000000b')
on conflict (user_id) do nothing;

insert into public.batches (id, priority, reference)
values
  ('ba7c4000-0000-4000-8000-000000000001', 0, 'Morning round, north'),
  ('ba7c4000-0000-4000-8000-000000000002', 10, 'Pharmacy, urgent'),
  ('ba7c4000-0000-4000-8000-000000000003', 5, 'Restaurants, lunch'),
  ('ba7c4000-0000-4000-8000-000000000004', 5, 'Restaurants, dinner'),
  ('ba7c4000-0000-4000-8000-000000000005', 0, 'Morning round, south')
on conflict (id) do nothing;

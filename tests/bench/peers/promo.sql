-- A promo code's total as the incident reports count it: the row is locked with
-- `select … for update`, checked against its limit and counted up, and the redemption is
-- written down. The rest is checkout_select_for_update.

create table bench_peers.promo_codes (
  id uuid primary key default gen_random_uuid(),
  code text not null unique,
  discount_percent int not null,
  max_uses int not null,
  used_count int not null default 0 check (used_count <= max_uses)
);

create table bench_peers.promo_redemptions (
  promo_id uuid not null references bench_peers.promo_codes (id),
  user_id uuid not null,
  redeemed_at timestamptz not null default now(),
  key text not null,
  primary key (promo_id, user_id, key)
);

create function bench_peers.checkout_with_promo(p_cart_items jsonb, p_idempotency_key text, p_promo_code text)
returns text
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_promo bench_peers.promo_codes;
begin
  select p.* into v_promo
  from bench_peers.promo_codes p
  where p.code = upper(btrim(p_promo_code))
  for update;

  if v_promo.used_count >= v_promo.max_uses then
    raise exception using errcode = 'PT409', message = 'PROMO_EXHAUSTED';
  end if;

  update bench_peers.promo_codes p set used_count = p.used_count + 1 where p.id = v_promo.id;
  insert into bench_peers.promo_redemptions (promo_id, user_id, key)
  values (v_promo.id, auth.uid(), p_idempotency_key);

  return bench_peers.checkout_select_for_update(p_cart_items, p_idempotency_key);
end
$$;

grant execute on function bench_peers.checkout_with_promo(jsonb, text, text) to authenticated;

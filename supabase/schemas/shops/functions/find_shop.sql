-- The shop that a transaction is about, remembered until it ends. A token whose app_metadata has a role works in the shop that
-- app_metadata.shop_id names, in shop 1 without one, and nowhere else; a token without a role may be bound in the same way. Whoever is not
-- bound says the shop in the header x-shop, by id or handle, or means shop 1.
--
-- Callers: interlock.shop_id; interlock.may_hear, which is told it in another way.
-- Locks: the shop, advisory, shared, until the transaction ends: whoever moves it has it alone, and is not waited for. Where it has a limit of
--   requests, one of its tickets, advisory; never waiting.
-- Errors: SHOP_UNKNOWN, SHOP_FORBIDDEN, SHOP_CLOSED, SHOP_MOVING, SHOP_BUSY.
-- Security definer: whoever asks need not have rights to the list of shops. Volatile, and called by what is stable: the state is read once the lock
-- is held, not as it was when the statement began.
create function interlock.find_shop(p_named text default null)
returns int
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_claims constant jsonb := auth.jwt() -> 'app_metadata';
  v_bound constant text := coalesce(v_claims ->> 'shop_id', case when v_claims ? 'role' then '1' end);
  v_named constant text := coalesce(
    p_named, nullif(nullif(current_setting('request.headers', true), '')::json ->> 'x-shop', ''), v_bound, '1'
  );
  v_shop interlock.shops;
begin
  if v_named ~ '^[1-9][0-9]{0,8}$' then
    v_shop.id := v_named::int;
  else
    select s.id into v_shop.id from interlock.shops s where s.handle::text = v_named;
  end if;
  if v_shop.id::text <> v_bound then
    perform interlock.raise_error('SHOP_FORBIDDEN', jsonb_build_object('shop', v_shop.id));
  end if;
  if not pg_try_advisory_xact_lock_shared(hashtext('interlock shop'), v_shop.id) then
    perform interlock.raise_error('SHOP_MOVING', jsonb_build_object('shop', v_shop.id));
  end if;

  select s.* into v_shop from interlock.shops s where s.id = v_shop.id;
  case v_shop.state
    when 'open' then
      null;
    when 'closed' then
      perform interlock.raise_error('SHOP_CLOSED', jsonb_build_object('shop', v_shop.id));
    when 'moving' then
      perform interlock.raise_error('SHOP_MOVING', jsonb_build_object('shop', v_shop.id));
    else
      perform interlock.raise_error('SHOP_UNKNOWN', jsonb_build_object('shop', left(v_named, 64)));
  end case;
  if v_shop.requests_at_once is not null and not exists (
    select
    from generate_series(1, v_shop.requests_at_once) t (ticket)
    where pg_try_advisory_xact_lock(hashtext('interlock request of shop ' || v_shop.id), t.ticket)
  ) then
    perform interlock.raise_error('SHOP_BUSY', jsonb_build_object(
      'shop', v_shop.id, 'requests_at_once', v_shop.requests_at_once
    ));
  end if;

  perform set_config('interlock.shop', v_shop.id::text, true);
  return v_shop.id;
end
$$;

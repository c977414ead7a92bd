-- Change what is said of a shop: its state (open, closed, moving), how many requests of it may be under way at a time (0: as many as come), its
-- handle. What is null stays as it is. The handle that it had is free from then on, and may become another shop's.
--
-- Callers: postgres; service_role, through public.set_shop.
-- Locks: the shop's row.
-- Errors: ONE_SHOP, VALIDATION_FAILED, SHOP_UNKNOWN, SHOP_HANDLE_TAKEN; 55P03 and, where two shops change handles with each other, 40P01 are transient.
-- Security definer: nobody else writes the list of shops.
create function interlock.set_shop(
  p_shop_id int, p_state text default null, p_requests_at_once int default null, p_handle text default null
)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
declare
  v_problems jsonb := '[]'::jsonb;
  v_shop interlock.shops;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  if not interlock.serves_shops() then
    perform interlock.raise_error('ONE_SHOP');
  end if;
  if p_state not in ('open', 'closed', 'moving') then
    v_problems := v_problems || interlock.problem('/p_state', 'must be open, closed or moving');
  end if;
  if p_requests_at_once < 0 then
    v_problems := v_problems || interlock.problem('/p_requests_at_once', 'must be a whole number from 0');
  end if;
  if not interlock.is_shop_handle(p_handle) then
    v_problems := v_problems || interlock.problem('/p_handle', 'must be 1 to 63 small letters, digits and hyphens, a letter first');
  end if;
  perform interlock.refuse_problems(v_problems);

  begin
    update interlock.shops s
    set state = coalesce(p_state, s.state),
        requests_at_once = case when p_requests_at_once is null then s.requests_at_once else nullif(p_requests_at_once, 0) end,
        handle = coalesce(p_handle, s.handle)
    where s.id = p_shop_id
    returning s.* into v_shop;
  exception
    when unique_violation then
      perform interlock.refuse_handle(p_handle);
  end;
  if v_shop.id is null then
    perform interlock.raise_error('SHOP_UNKNOWN', jsonb_build_object('shop', concat(p_shop_id)));
  end if;
  return jsonb_build_object('success', true, 'shop', interlock.shop_to_json(v_shop));
end
$$;

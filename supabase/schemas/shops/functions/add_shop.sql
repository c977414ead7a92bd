-- Open another shop, empty, with the settings that Interlock is installed with; where deliveries are made by the platform's scheduler, as
-- shop 1 makes them. Answers its id.
--
-- Callers: postgres; service_role, through public.add_shop.
-- Locks: the new shop.
-- Errors: ONE_SHOP, VALIDATION_FAILED, SHOP_HANDLE_TAKEN; 55P03 is transient.
-- Security definer: nobody else writes the list of shops.
create function interlock.add_shop(p_handle text)
returns int
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_before constant text := coalesce(current_setting('interlock.shop', true), '');
  -- A column that is there once there are many shops.
  v_key constant text := 'shop_id';
  v_deliver_url text;
  v_hashes bytea[];
  v_id int;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  if not interlock.serves_shops() then
    perform interlock.raise_error('ONE_SHOP');
  end if;
  if interlock.is_shop_handle(p_handle) is not true then
    perform interlock.refuse_problems(
      interlock.problem('/p_handle', 'must be 1 to 63 small letters, digits and hyphens, a letter first')
    );
  end if;

  insert into interlock.shops (handle) values (p_handle) on conflict on constraint shops_handle_key do nothing returning id into v_id;
  if v_id is null then
    perform interlock.refuse_handle(p_handle);
  end if;

  execute format('select s.deliver_url from interlock.settings s where s.%I = 1', v_key) into v_deliver_url;
  execute format('select array_agg(s.hash order by s.id) from interlock.deliver_secrets s where s.%I = 1', v_key) into v_hashes;
  perform set_config('interlock.shop', v_id::text, true);
  insert into interlock.settings (deliver_url) values (v_deliver_url);
  insert into interlock.locations (id, name) values (interlock.online_location(), 'Online');
  insert into interlock.delivery_cursor (seen) values (pg_current_snapshot());
  insert into interlock.deliver_secrets (hash) select h from unnest(v_hashes) h;
  perform set_config('interlock.shop', v_before, true);
  return v_id;
end
$$;

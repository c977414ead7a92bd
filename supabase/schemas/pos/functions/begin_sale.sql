-- Take the key of a sale, of its register for ever, or answer what a twin has answered.
--
-- Callers: interlock.make_sale, before it locks anything else.
-- Locks: the key, until the transaction ends. Waits for a twin, holding nothing.
-- Errors: as interlock.find_sale_answer; 55P03 after lock_timeout. Null means: sell, then call interlock.finish_sale.
create function interlock.begin_sale(p_register_id uuid, p_key text, p_client_time timestamptz, p_request jsonb)
returns text
language plpgsql
set search_path = ''
as $$
begin
  if p_key is null then
    return null;
  end if;
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  insert into interlock.sale_keys (register_id, key, request_hash, client_time)
  values (p_register_id, p_key, interlock.sale_hash(p_request, p_client_time is not null), p_client_time)
  on conflict on constraint sale_keys_pkey do nothing;
  if found then
    return null;
  end if;
  return interlock.find_sale_answer(p_register_id, p_key, p_client_time, p_request);
end
$$;

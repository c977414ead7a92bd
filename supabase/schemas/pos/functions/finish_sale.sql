-- Store the answer of a sale with its key.
--
-- Callers: interlock.make_sale, which has called interlock.begin_sale.
-- Locks: the key, held already.
create function interlock.finish_sale(p_register_id uuid, p_key text, p_sale_id uuid, p_answer text)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if p_key is not null then
    update interlock.sale_keys k
    set sale_id = p_sale_id,
        answer = p_answer
    where k.register_id = p_register_id
      and k.key = p_key;
  end if;
end
$$;

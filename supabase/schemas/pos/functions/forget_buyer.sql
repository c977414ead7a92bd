-- Take a person who was erased out of the answers that are kept of their sales (interlock.sale_keys).
--
-- Callers: interlock.erase_customer, after nothing personal is left of the customer.
-- Locks: the keys of their sales, which nobody who waits for the customer holds.
create function interlock.forget_buyer(p_customer_id uuid)
returns void
language sql
set search_path = ''
as $$
  update interlock.sale_keys k
  set answer = json_build_object('success', true, 'sale', interlock.sale_to_json(k.sale_id))::text
  from interlock.sales s
  join interlock.customers c on c.id = s.customer_id
  where p_customer_id in (c.id, c.merged_into)
    and k.sale_id = s.id
$$;

-- A customer as answers show them, with their points.
--
-- Callers: interlock.sale_to_json, interlock.note_customer, and whatever answers a customer.
-- Locks: none.
create function interlock.customer_to_json(p_customer_id uuid)
returns json
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select json_build_object(
      'id', c.id,
      'name', c.name,
      'phone', c.phone,
      'email', c.email,
      'marketing', c.marketing,
      'points', coalesce(a.balance, 0),
      'tier', a.tier
    )
    from interlock.customers c
    left join interlock.points_accounts a on a.customer_id = c.id
    where c.id = p_customer_id
  );
end
$$;

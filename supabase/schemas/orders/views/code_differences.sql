create view interlock.code_differences
with (security_invoker = true)
as
  select p.id as product_id, p.available_quantity, count(c.id) as free_codes
  from interlock.products p
  left join interlock.product_codes c on c.product_id = p.id and c.order_id is null
  where p.kind = 'digital'
  group by p.id, p.available_quantity
  having p.available_quantity <> count(c.id);

comment on view interlock.code_differences is
  'Digital products whose stock is not the number of their free codes. Always empty; anything else is a bug.';

grant select on table interlock.code_differences to service_role;

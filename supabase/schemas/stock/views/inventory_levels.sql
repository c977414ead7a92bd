-- What is where, with the names that people read.
create view interlock.inventory_levels
with (security_invoker = true)
as
  select
    n.id as inventory_id,
    n.product_id,
    p.name as product,
    n.location_id,
    l.name as location,
    n.quantity_available as quantity,
    n.version,
    p.unit
  from interlock.inventory_items n
  join interlock.products p on p.id = n.product_id
  join interlock.locations l on l.id = n.location_id;

comment on view interlock.inventory_levels is
  'What is where: each product at each location where it has been, and in the web shop.';

grant select on table interlock.inventory_levels to service_role;

-- How often stock was no longer what had been read, by product, operation and hour.
create view interlock.inventory_conflict_rates
with (security_invoker = true)
as
  select
    c.product_id,
    c.operation,
    date_trunc('hour', c.created_at) as hour,
    count(*) as conflicts,
    count(*) filter (where c.rebased) as rebased
  from interlock.inventory_conflicts c
  group by c.product_id, c.operation, date_trunc('hour', c.created_at);

comment on view interlock.inventory_conflict_rates is
  'How often each product''s stock was no longer what had been read, by hour; and how many of these were tried again (rebased).';

grant select on table interlock.inventory_conflict_rates to service_role;

-- What is in the baskets and nobody needs any more: back to the shelf with it (pick_item with a quantity below 0 says that it is there).
create view interlock.put_backs
with (security_invoker = true)
as
  select
    i.picking_session_id, s.code, s.location_id, i.product_id, i.basket,
    i.quantity_picked - i.quantity_packed - case
      when s.ended_at is null then greatest(i.quantity_needed - i.quantity_packed, 0)
      else 0
    end as quantity
  from interlock.picking_session_items i
  join interlock.picking_sessions s on s.id = i.picking_session_id
  where i.quantity_picked > i.quantity_packed
    and (s.ended_at is not null or i.quantity_picked > i.quantity_needed);

comment on view interlock.put_backs is
  'What is in the baskets of picking sessions and nobody needs any more.';
comment on column interlock.put_backs.quantity is
  'How many units go back to the shelf.';

grant select on table interlock.put_backs to authenticated, service_role;

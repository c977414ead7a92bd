-- Where stock is: stores, warehouses, and the web shop, whose stock is products.available_quantity.
--
-- The web shop is made here, has a fixed id (interlock.online_location) and cannot be deleted; it may be renamed. A
-- location that has rows of inventory cannot be deleted either: close it (`active = false`). A closed one gets no goods
-- any more; what is left there can be counted, corrected, sold and moved away.
create table interlock.locations (
  id uuid not null default interlock.new_id()
    constraint locations_pkey primary key,
  name interlock.label not null,
  active boolean not null default true,
  created_at timestamptz not null default now()
);

comment on table interlock.locations is
  'Where stock is. Managed by the shop with the service role; staff read it.';
comment on column interlock.locations.id is
  'Made by new_id where none is given: ordered by time. Never changes. 00000000-0000-4000-8000-000000000001 is the web shop.';
comment on column interlock.locations.name is
  'As people read it.';
comment on column interlock.locations.active is
  'A closed one (false) gets no goods any more.';
comment on column interlock.locations.created_at is
  'When it was added.';

create trigger locations_identity_fixed
  before update of id on interlock.locations
  for each row
  when (old.id is distinct from new.id)
  execute function interlock.keep_location();

create trigger locations_online_stays
  before delete on interlock.locations
  for each row
  when (old.id = interlock.online_location())
  execute function interlock.keep_location();

create trigger locations_no_truncate
  before truncate on interlock.locations
  for each statement
  execute function interlock.refuse_change();

alter table interlock.locations enable row level security;

grant select on table interlock.locations to authenticated;
grant select, insert, update, delete on table interlock.locations to service_role;

create policy locations_select_staff
  on interlock.locations
  for select
  to authenticated
  using ((select interlock.is_staff()));

insert into interlock.locations (id, name) values (interlock.online_location(), 'Online');

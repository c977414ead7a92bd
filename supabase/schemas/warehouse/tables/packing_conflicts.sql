-- How often a number of packed units was no longer what its caller had read (PACKING_CONFLICT). Rows are only added, so that
-- counting holds nobody up; interlock.purge_history removes old ones (settings.keep_inventory_conflicts). A conflict is answered and not raised, so that
-- the count survives it, as in stock/tables/inventory_conflicts.sql.
create table interlock.packing_conflicts (
  id bigint generated always as identity
    constraint packing_conflicts_pkey primary key,
  picking_session_id uuid not null,
  product_id uuid not null,
  created_at timestamptz not null default now()
);

comment on table interlock.packing_conflicts is
  'Each time a number of packed units was no longer what its caller had read.';

create trigger packing_conflicts_append_only
  before update or delete on interlock.packing_conflicts
  for each row
  execute function interlock.refuse_change();

create trigger packing_conflicts_no_truncate
  before truncate on interlock.packing_conflicts
  for each statement
  execute function interlock.refuse_change();

alter table interlock.packing_conflicts enable row level security;

grant select on table interlock.packing_conflicts to service_role;

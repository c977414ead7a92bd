-- How often a stock was no longer what its caller had read (VERSION_CONFLICT), by product and operation. Rows are only
-- added, so that counting holds nobody up; interlock.purge_history removes old ones (settings.keep_inventory_conflicts).
--
-- The count has to survive the refusal, so a conflict is *answered* and not raised, as an unknown promo code is
-- (promo/tables/promo_attempts.sql): HTTP 409 with the body that PostgREST makes of a raised error.
create table interlock.inventory_conflicts (
  id bigint generated always as identity
    constraint inventory_conflicts_pkey primary key,
  product_id uuid not null,
  operation interlock.slug not null,
  rebased boolean not null,
  created_at timestamptz not null default now()
);

comment on table interlock.inventory_conflicts is
  'Each time a stock was no longer what its caller had read.';
comment on column interlock.inventory_conflicts.operation is
  'The action that was refused: set or adjust.';
comment on column interlock.inventory_conflicts.rebased is
  'Whether the caller has it tried again on the present stock.';

create trigger inventory_conflicts_append_only
  before update or delete on interlock.inventory_conflicts
  for each row
  execute function interlock.refuse_change();

create trigger inventory_conflicts_no_truncate
  before truncate on interlock.inventory_conflicts
  for each statement
  execute function interlock.refuse_change();

alter table interlock.inventory_conflicts enable row level security;

grant select on table interlock.inventory_conflicts to service_role;

-- Tiers of a loyalty program: who has reached `threshold` points or turnover (settings.tier_basis) within settings.tier_window
-- is in the highest such tier, and earns `earns_percent` of what the rules say.
create table interlock.tiers (
  name interlock.label not null
    constraint tiers_pkey primary key,
  threshold interlock.points not null
    constraint tiers_threshold_key unique,
  earns_percent interlock.positive_count not null default 100
);

comment on table interlock.tiers is
  'Tiers of the loyalty program. Managed by the shop with the service role; who is signed in may read them.';
comment on column interlock.tiers.name is
  'As people read it.';
comment on column interlock.tiers.threshold is
  'Points or minor units that have to be reached.';
comment on column interlock.tiers.earns_percent is
  'Share of the points of points_rules that somebody in this tier earns, in per cent.';

alter table interlock.tiers enable row level security;

grant select on table interlock.tiers to authenticated;
grant select, insert, update, delete on table interlock.tiers to service_role;

create policy tiers_select_authenticated
  on interlock.tiers
  for select
  to authenticated
  using (true);

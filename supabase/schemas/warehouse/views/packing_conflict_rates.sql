-- How often a number of packed units was no longer what its caller had read, against what was packed, by hour: if many are, let
-- workers scan (pack) instead of setting numbers.
create view interlock.packing_conflict_rates
with (security_invoker = true)
as
  select h.hour, sum(h.conflicts)::bigint as conflicts, sum(h.scans)::bigint as scans
  from (
    select date_trunc('hour', c.created_at) as hour, count(*) as conflicts, 0 as scans
    from interlock.packing_conflicts c
    group by 1
    union all
    select date_trunc('hour', s.created_at), 0, count(*)
    from interlock.packing_scans s
    where s.action in ('pack', 'unpack')
    group by 1
  ) h
  group by h.hour;

comment on view interlock.packing_conflict_rates is
  'How often a number of packed units was no longer what its caller had read, and how many scans there were, by hour.';

grant select on table interlock.packing_conflict_rates to service_role;

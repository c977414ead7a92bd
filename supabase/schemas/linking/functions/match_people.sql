-- Rows of a linked table of customers, those of p_ids or all of them, and whose each is. An e-mail, phone or account that another
-- customer has, or of several rows all but one, is unfit: it belongs to one customer only. Who has it already keeps it, else the first
-- row by key gets it. Unless their own row, of those that are asked for, lets it go: by something else that it says, or by nothing where p_entries
-- says that this is what has changed. What of a linked row has not changed is not written (interlock.write_people), so it lets nothing go.
--
-- A row that is nobody's yet is a customer whom Interlock has already if they agree in what the link names (same_by) and no other row
-- is them: by their account, else by e-mail, else by phone.
--
-- Callers: interlock.find_people_problems, interlock.bring_customers, interlock.customer_drift.
-- Locks: none.
-- Not compiled (jit): its steps are expected to give far more than they do, and on Postgres 15 compiling took seconds.
create function interlock.match_people(p_link interlock.customer_links, p_ids text[] default null, p_entries text[] default null)
returns setof interlock.linked_person
language sql
stable
set search_path = ''
set jit = off
as $$
  with person as materialized (
    select
      r.*,
      own.merged_into is null or into_row.customer_id is null and row_number() over (
        partition by own.merged_into order by r.source_id
      ) = 1 as speaks,
      coalesce(own.merged_into, own.id) as live_id,
      live.erased_at is not null as erased,
      m.customer_id as mapped_id,
      string_to_array(e.entries, ',') as changed
    from interlock.read_people(p_link, p_ids) r
    left join unnest(p_ids, p_entries) as e (source_id, entries) on e.source_id = r.source_id
    left join interlock.linked_customers m on m.link_id = p_link.id and m.source_id = r.source_id
    left join interlock.customers own on own.id = m.customer_id
    left join interlock.customers live on live.id = coalesce(own.merged_into, own.id)
    left join interlock.linked_customers into_row on into_row.customer_id = own.merged_into
  ),
  candidate as (
    select p.source_id, k.id, row_number() over (partition by k.id order by p.source_id) as place
    from person p
    cross join lateral (
      select f.id
      from (
        select 1 as rank, c.id from interlock.customers c where c.user_id = p.user_id and 'user' = any (p_link.same_by)
        union all
        select 2, c.id from interlock.customers c where c.email = p.email and 'email' = any (p_link.same_by)
        union all
        select 3, c.id from interlock.customers c where c.phone = p.phone and 'phone' = any (p_link.same_by)
      ) f
      where not exists (select from interlock.linked_customers o where o.customer_id = f.id)
      order by f.rank
      limit 1
    ) k
    where p.mapped_id is null
  ),
  whose as materialized (
    select
      p.*,
      case when not p.speaks then p.mapped_id else coalesce(p.live_id, p.mapped_id, c.id) end as whose_id,
      case
        when not p.speaks then 'merged'
        when p.erased then 'erased'
        when p.live_id is not null then 'linked'
        when c.id is not null then 'known'
        else 'new'
      end as what
    from person p
    left join candidate c on c.source_id = p.source_id and c.place = 1
  ),
  said as (
    select
      w.source_id, w.whose_id, v.entry, v.value,
      case when w.what = 'linked' and w.changed is not null then v.entry = any (w.changed) else v.value is not null end as written
    from whose w
    cross join lateral (values ('email', w.email), ('phone', w.phone), ('user', w.user_id::text)) v (entry, value)
    where w.what not in ('merged', 'erased')
  ),
  claim as (
    select s.source_id, s.whose_id, s.entry, s.value from said s where s.value is not null
  ),
  held as (
    select c.source_id, c.whose_id, c.entry, c.value, h.id as holder_id
    from claim c
    left join lateral (
      select k.id from interlock.customers k where c.entry = 'email' and k.email = c.value
      union all
      select k.id from interlock.customers k where c.entry = 'phone' and k.phone = c.value
      union all
      select k.id from interlock.customers k where c.entry = 'user' and k.user_id = c.value::uuid
    ) h on true
  ),
  lost as materialized (
    select l.source_id, array_agg(l.entry) as entries, array_agg(l.problem) as problems
    from (
      select
        h.source_id, h.entry,
        case
          when h.holder_id <> h.whose_id or h.whose_id is null and h.holder_id is not null then
            case when not exists (
              select from said o where o.whose_id = h.holder_id and o.entry = h.entry and o.written and o.value is distinct from h.value
            ) then h.entry || '_taken' end
        end as taken,
        row_number() over (partition by h.entry, h.value order by (h.holder_id = h.whose_id) is not true, h.source_id) as place
      from held h
    ) q
    cross join lateral (select q.source_id, q.entry, coalesce(q.taken, case when q.place > 1 then q.entry || '_twice' end) as problem) l
    where l.problem is not null
    group by l.source_id
  )
  select
    w.source_id, w.name,
    case when 'email' = any (l.entries) then null else w.email end,
    case when 'phone' = any (l.entries) then null else w.phone end,
    case when 'user' = any (l.entries) then null else w.user_id end,
    w.marketing, w.whose_id, w.what,
    case when w.what in ('merged', 'erased') then '{}' else w.problems end,
    case when w.what in ('merged', 'erased') then '{}' else w.unfit || coalesce(l.problems, '{}') end
  from whose w
  left join lost l on l.source_id = w.source_id
$$;

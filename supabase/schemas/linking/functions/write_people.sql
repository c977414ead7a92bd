-- Write what rows of a linked table say to their customers, and make those that are new. Answers who was made or changed.
--
-- Callers: interlock.bring_customers, which holds the customers.
-- Locks: e-mail, phone and account in their indexes, waiting for who takes the same.
-- Errors: 23505 unique_violation if somebody has taken the same meanwhile.
create function interlock.write_people(
  p_link interlock.customer_links, p_people interlock.linked_person[], p_ids text[], p_entries text[]
)
returns uuid[]
language plpgsql
set search_path = ''
as $$
declare
  v_written uuid[];
  v_changed uuid[];
begin
  -- Rows that are somebody's from now on, and those whose customer was merged into one without a row.
  insert into interlock.linked_customers as m (link_id, source_id, customer_id)
  select
    p_link.id, p.source_id,
    coalesce(
      p.customer_id,
      case when p_link.id_type = 'uuid' and not exists (
        select from interlock.customers c where c.id = p.source_id::uuid
      ) then p.source_id::uuid end,
      interlock.new_id()
    )
  from unnest(p_people) p
  order by p.source_id
  on conflict on constraint linked_customers_pkey do update
  set customer_id = excluded.customer_id
  where m.customer_id <> excluded.customer_id;

  -- What passes from one of them to another is let go first.
  update interlock.customers c
  set email = case when p.email is distinct from c.email and c.email in (select o.email from unnest(p_people) o) then null else c.email end,
      phone = case when p.phone is distinct from c.phone and c.phone in (select o.phone from unnest(p_people) o) then null else c.phone end,
      user_id = case when p.user_id is distinct from c.user_id and c.user_id in (select o.user_id from unnest(p_people) o) then null else c.user_id end
  from unnest(p_people) p
  where c.id = p.customer_id
    and (
      p.email is distinct from c.email and c.email in (select o.email from unnest(p_people) o)
      or p.phone is distinct from c.phone and c.phone in (select o.phone from unnest(p_people) o)
      or p.user_id is distinct from c.user_id and c.user_id in (select o.user_id from unnest(p_people) o)
    );

  with made as (
    insert into interlock.customers (id, name, email, phone, user_id, marketing)
    select m.customer_id, p.name, p.email, p.phone, p.user_id, coalesce(p.marketing, true)
    from unnest(p_people) p
    join interlock.linked_customers m on m.link_id = p_link.id and m.source_id = p.source_id
    where p.state = 'new'
    order by p.source_id
    returning id
  )
  select array_agg(m.id) into v_written from made m;

  with said as (
    select p.*, case when p.state = 'linked' then string_to_array(e.entries, ',') end as entries
    from unnest(p_people) p
    left join unnest(p_ids, p_entries) as e (source_id, entries) on e.source_id = p.source_id
    where p.state in ('known', 'linked')
  ),
  wanted as (
    select
      c.id,
      case when s.entries is null then coalesce(s.name, c.name) when 'name' = any (s.entries) then s.name else c.name end as name,
      case when s.entries is null then coalesce(s.email, c.email) when 'email' = any (s.entries) then s.email else c.email end as email,
      case when s.entries is null then coalesce(s.phone, c.phone) when 'phone' = any (s.entries) then s.phone else c.phone end as phone,
      case when s.entries is null then coalesce(s.user_id, c.user_id) when 'user' = any (s.entries) then s.user_id else c.user_id end as user_id,
      case
        when s.entries is null then c.marketing and coalesce(s.marketing, true)
        when 'marketing' = any (s.entries) then s.marketing
        else c.marketing
      end as marketing
    from said s
    join interlock.customers c on c.id = s.customer_id
  ),
  changed as (
    update interlock.customers c
    set name = w.name,
        email = w.email,
        phone = w.phone,
        user_id = w.user_id,
        marketing = w.marketing
    from wanted w
    where c.id = w.id
      and (c.name::text, c.email::text, c.phone::text, c.user_id, c.marketing)
        is distinct from (w.name::text, w.email::text, w.phone::text, w.user_id, w.marketing)
    returning c.id
  )
  select array_agg(d.id) into v_changed from changed d;

  update interlock.linked_customers m
  set filled = true
  where m.link_id = p_link.id
    and m.source_id in (select p.source_id from unnest(p_people) p)
    and not m.filled;
  return array_cat(v_written, v_changed);
end
$$;

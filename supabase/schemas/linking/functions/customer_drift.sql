-- Where a linked table and the customers do not say the same, in one snapshot, with what to do; empty where all is well. Rows that
-- are still to be taken over count while the link is not filled, and so does a row that still names somebody who was taken out.
-- What is left out because the link says so is no drift; nor is consent to marketing that was withdrawn in Interlock.
--
-- Callers: `npm run verify`; service_role, postgres.
-- Locks: none.
-- Security definer: the shop's table need not be open to who asks.
create function interlock.customer_drift(p_source regclass default null)
returns table (
  source text, source_id text, customer_id uuid, what text, in_source text, in_interlock text, todo text
)
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_link interlock.customer_links;
  v_broken jsonb;
  v_source text;
begin
  for v_link in
    select l.* from interlock.customer_links l where l.active and (p_source is null or l.source = p_source) order by l.id
  loop
    v_source := interlock.source_name(v_link.source);
    v_broken := interlock.find_customer_link_problems(v_link.source, jsonb_strip_nulls(jsonb_build_object(
      'id', v_link.id_column, 'name', to_jsonb(v_link.name_columns), 'email', v_link.email_column, 'phone', v_link.phone_column,
      'user', v_link.user_column,
      'marketing', case
        when v_link.marketing_values is null then to_jsonb(v_link.marketing_column)
        else jsonb_build_object('column', v_link.marketing_column, 'in', v_link.marketing_values)
      end
    )), v_link.on_erase);
    if v_broken <> '[]' then
      return query
      select
        coalesce(v_source, v_link.source::oid::text), null::text, null::uuid, 'link', b ->> 'pointer', null::text,
        format(
          '%s; or select interlock.unlink_customers(%s)', b ->> 'message',
          coalesce(quote_literal(v_source), v_link.source::oid::text)
        )
      from jsonb_array_elements(v_broken) b;
      continue;
    end if;

    return query
    with pair as materialized (
      select r.*, m.filled, c.id as found, c.name as c_name, c.email as c_email, c.phone as c_phone, c.user_id as c_user, c.marketing as c_marketing
      from interlock.match_people(v_link) r
      left join interlock.linked_customers m on m.link_id = v_link.id and m.source_id = r.source_id
      left join interlock.customers c on c.id = r.customer_id and r.state = 'linked'
    )
    select v_source, d.source_id, d.customer_id, d.what, d.in_source, d.in_interlock, d.todo
    from (
      select p.source_id, p.customer_id, 'invalid' as what, s.message as in_source, null::text as in_interlock, s.todo
      from pair p
      cross join unnest(p.problems || case v_link.unfit when 'refuse' then p.unfit end) as u (problem)
      join interlock.source_problems() s on s.problem = u.problem
      union all
      select p.source_id, p.customer_id, 'missing', p.name, null, format('select interlock.fill_customers(%L)', v_source)
      from pair p
      where p.problems = '{}'
        and p.state not in ('merged', 'erased')
        and (p.found is null or p.filled is not true)
      union all
      select
        p.source_id, p.customer_id, v.what, v.in_source, v.in_interlock,
        format('correct the row, or select interlock.fill_customers(%L, p_again => true)', v_source)
      from pair p
      cross join lateral (values
        ('name', p.name, p.c_name::text),
        ('email', p.email, p.c_email::text),
        ('phone', p.phone, p.c_phone::text),
        ('user', p.user_id::text, p.c_user::text),
        ('marketing', case when not p.marketing then 'false' end, p.c_marketing::text)
      ) v (what, in_source, in_interlock)
      where p.problems = '{}'
        and p.found is not null
        and p.filled
        and v.in_source is distinct from coalesce(v.in_interlock, '')
        and v.in_source is not null
      union all
      select
        p.source_id, p.customer_id, 'erased', 'still names them', null,
        case
          when m.to_erase then format('the row is held, or refuses: take the person out of %s by hand', v_source)
          else format('take the person out of %s as well: empty or delete the row', v_source)
        end
      from pair p
      join interlock.linked_customers m on m.link_id = v_link.id and m.source_id = p.source_id
      where p.state = 'erased'
        and (num_nonnulls(p.name, p.email, p.phone) > 0 or m.to_erase)
      union all
      select
        m.source_id, m.customer_id, 'gone', null, c.name::text,
        format('select interlock.fill_customers(%L, p_again => true)', v_source)
      from interlock.linked_customers m
      join interlock.customers c on c.id = m.customer_id
      where m.link_id = v_link.id
        and not exists (select from pair p where p.source_id = m.source_id)
    ) d
    order by d.source_id, d.what;
  end loop;
end
$$;

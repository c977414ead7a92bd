-- Where a linked table and the products do not say the same, in one snapshot, with what to do; empty where all is well. Rows
-- that are still to be taken over count while the link is not filled, and stock that waits to be written back once that is ten
-- minutes old.
--
-- Callers: `npm run verify`; service_role, postgres.
-- Locks: none.
-- Security definer: the shop's table need not be open to who asks.
create function interlock.product_drift(p_source regclass default null)
returns table (
  source text, source_id text, product_id uuid, what text, in_source text, in_interlock text, todo text
)
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_link interlock.product_links;
  v_broken jsonb;
begin
  for v_link in
    select l.* from interlock.product_links l where l.active and (p_source is null or l.source = p_source) order by l.id
  loop
    v_broken := interlock.find_link_problems(v_link.source, jsonb_strip_nulls(jsonb_build_object(
      'id', v_link.id_column, 'name', v_link.name_column, 'price', v_link.price_column, 'price_unit', v_link.price_unit,
      'currency', coalesce(to_jsonb(v_link.currency_column), jsonb_build_object('is', v_link.currency)),
      'active', case
        when v_link.active_values is null then to_jsonb(v_link.active_column)
        else jsonb_build_object('column', v_link.active_column, 'in', v_link.active_values)
      end,
      'quantity', v_link.quantity_column
    )), v_link.write_back);
    if v_broken <> '[]' then
      return query
      select
        coalesce(interlock.source_name(v_link.source), v_link.source::oid::text), null::text, null::uuid, 'link',
        b ->> 'pointer', null::text,
        format(
          '%s; or select interlock.unlink_products(%s)', b ->> 'message',
          coalesce(quote_literal(interlock.source_name(v_link.source)), v_link.source::oid::text)
        )
      from jsonb_array_elements(v_broken) b;
      continue;
    end if;

    return query
    with row as materialized (
      select r.* from interlock.read_source(v_link) r
    ),
    pair as materialized (
      select r.*, m.product_id, m.filled, p.id as found, p.name as p_name, p.price as p_price, p.currency as p_currency,
        p.active as p_active, p.available_quantity, w.since, w.reason
      from row r
      left join interlock.linked_products m on m.link_id = v_link.id and m.source_id = r.source_id
      left join interlock.products p on p.id = m.product_id
      left join interlock.stock_write_backs w on w.product_id = m.product_id
    )
    select interlock.source_name(v_link.source), d.source_id, d.product_id, d.what, d.in_source, d.in_interlock, d.todo
    from (
      select p.source_id, p.product_id, 'invalid' as what, s.message as in_source, null::text as in_interlock, s.todo
      from pair p
      cross join unnest(p.problems) as u (problem)
      join interlock.source_problems() s on s.problem = u.problem
      union all
      select
        p.source_id, p.product_id, 'missing', p.name, null,
        format('select interlock.fill_link(%L)', interlock.source_name(v_link.source))
      from pair p
      where p.problems = '{}'
        and (p.found is null or not p.filled)
      union all
      select
        p.source_id, p.product_id, v.what, v.in_source, v.in_interlock,
        format('select interlock.fill_link(%L, p_again => true)', interlock.source_name(v_link.source))
      from pair p
      cross join lateral (values
        ('name', p.name, p.p_name::text),
        ('price', p.price::text, p.p_price::text),
        ('currency', p.currency, p.p_currency::text),
        ('active', p.active::text, p.p_active::text)
      ) v (what, in_source, in_interlock)
      where p.problems = '{}'
        and p.filled
        and v.in_source <> v.in_interlock
      union all
      select
        p.source_id, p.product_id, 'quantity', p.quantity::text, p.available_quantity::text,
        case
          when p.reason is null then format('select interlock.fill_link(%L, p_again => true)', interlock.source_name(v_link.source))
          else format('not written since %s: %s', p.since, p.reason)
        end
      from pair p
      where v_link.write_back
        and p.problems = '{}'
        and p.filled
        and p.quantity <> p.available_quantity
        and coalesce(p.since < now() - interval '10 minutes', true)
      union all
      select
        m.source_id, m.product_id, 'gone', null, p.name::text,
        format('select interlock.fill_link(%L, p_again => true)', interlock.source_name(v_link.source))
      from interlock.linked_products m
      join interlock.products p on p.id = m.product_id and p.active
      where m.link_id = v_link.id
        and not exists (select from row r where r.source_id = m.source_id)
    ) d
    order by d.source_id, d.what;
  end loop;
end
$$;

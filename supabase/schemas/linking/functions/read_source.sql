-- Read rows of a linked table as Interlock would have them, those of p_ids or all of them, with all that is wrong with each.
-- Names of tables and columns come from the catalogue or were compared with it, and are quoted here.
--
-- Callers: interlock.find_source_problems, interlock.bring_products, interlock.product_drift.
-- Locks: none.
create function interlock.read_source(p_link interlock.product_links, p_ids text[] default null)
returns setof interlock.source_row
language plpgsql
stable
set search_path = ''
as $$
begin
  return query execute format(
    $sql$
      select
        r.source_id,
        r.name,
        case when r.price between 0 and 1000000000000 and r.price = trunc(r.price) then r.price::bigint end,
        case when interlock.is_currency(r.currency) then r.currency end,
        coalesce(r.active, false),
        case when r.quantity between 0 and interlock.most_units() and r.quantity = trunc(r.quantity) then r.quantity::int end,
        array_remove(array[
          case when r.source_id is null then 'id_null' when char_length(r.source_id) not between 1 and 200 then 'id_long' end,
          case when coalesce(btrim(r.name), '') = '' then 'name_null' when char_length(r.name) > 200 then 'name_long' end,
          case
            when r.price is null then 'price_null'
            when r.price < 0 then 'price_negative'
            when r.price > 1000000000000 then 'price_large'
            when r.price <> trunc(r.price) then 'price_fraction'
          end,
          case
            when coalesce(r.currency, '') = '' then 'currency_null'
            when not interlock.is_currency(r.currency) then 'currency_unknown'
          end,
          case
            when r.quantity is null then 'quantity_null'
            when r.quantity < 0 then 'quantity_negative'
            when r.quantity > interlock.most_units() then 'quantity_large'
            when r.quantity <> trunc(r.quantity) then 'quantity_fraction'
          end
        ], null)
      from (
        select
          c.source_id, c.name, c.currency, c.active, c.quantity,
          c.price * case %1$L when 'major' then 10::numeric ^ interlock.currency_decimals(c.currency) else 1 end as price
        from (
          select
            s.%2$I::text as source_id,
            s.%3$I::text as name,
            s.%4$I::numeric as price,
            %5$s as currency,
            %6$s as active,
            %7$s as quantity
          from %8$s s
          where %9$s
        ) c
      ) r
    $sql$,
    p_link.price_unit,
    p_link.id_column,
    p_link.name_column,
    p_link.price_column,
    case
      when p_link.currency_column is null then quote_literal(p_link.currency)
      else format('upper(btrim(s.%I::text))', p_link.currency_column)
    end,
    case
      when p_link.active_column is null then 'true'
      when p_link.active_values is null then format('s.%I::boolean', p_link.active_column)
      else format('s.%I::text = any (%L::text[])', p_link.active_column, p_link.active_values)
    end,
    case when p_link.quantity_column is null then '0::numeric' else format('s.%I::numeric', p_link.quantity_column) end,
    interlock.source_name(p_link.source),
    case when p_ids is null then 'true' else format('s.%I = any ($1::%s[])', p_link.id_column, p_link.id_type) end
  ) using p_ids;
end
$$;

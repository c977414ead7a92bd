-- Link a table of the shop's own to the products: from then on what is written there reaches Interlock in the same
-- transaction, and with p_write_back the stock that Interlock has is written to the shop's column. With p_dry_run it only says
-- what there is and all that is in the way.
--
--   p_map          {"id", "name", "price", "price_unit": "major" or "minor", "currency", "active"?, "quantity"?}: names of columns;
--                  currency may be {"is": "EUR"}, active {"column": "status", "in": ["active"]}
--   p_on_write     what a write of the shop's own to the column of stock is: difference, or refuse
--   p_stock_from   which stock counts for rows whose product was there before: source or interlock
--   p_fill         how many of the rows that are there are taken over at once; a job takes the rest
--
-- It makes triggers, so it is for migrations and the SQL editor.
--
-- Callers: postgres.
-- Locks: the shop's table against writing, waiting two seconds; products against it with the first link that writes back; the
--   link, products by id.
-- Errors: VALIDATION_FAILED with everything that is in the way; those of interlock.bring_products; 55P03 is transient.
create function interlock.link_products(
  p_source regclass,
  p_map jsonb,
  p_write_back boolean default false,
  p_on_write text default 'difference',
  p_stock_from text default null,
  p_dry_run boolean default false,
  p_fill int default 1000,
  p_search_path text default current_setting('search_path')
)
returns jsonb
language plpgsql
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_problems jsonb := jsonb '[]';
  v_source text;
  v_link interlock.product_links;
  v_former interlock.product_links;
  v_rows bigint;
  v_known text[];
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  v_source := interlock.source_name(p_source);
  v_problems := interlock.find_link_problems(p_source, p_map, p_write_back is true);
  if p_on_write is null or p_on_write not in ('difference', 'refuse') then
    v_problems := v_problems || interlock.problem('/p_on_write', 'must be difference or refuse');
  end if;
  if p_stock_from not in ('source', 'interlock') then
    v_problems := v_problems || interlock.problem('/p_stock_from', 'must be source or interlock');
  end if;
  select l.* into v_former from interlock.product_links l where l.source = p_source;
  if v_former.active then
    v_problems := v_problems || interlock.problem(
      '/p_source', format('is linked: select interlock.unlink_products(%L) ends that', v_source)
    );
  elsif v_former.id_column <> p_map ->> 'id' then
    v_problems := v_problems || interlock.problem('/p_map/id', format(
      'was %I before: select interlock.unlink_products(%L, p_forget => true) forgets which row is which product',
      v_former.id_column, v_source
    ));
  end if;

  if exists (select from interlock.customer_links l where l.source = p_source and l.active) then
    v_problems := v_problems || interlock.problem('/p_source', 'is linked to customers');
  end if;

  if v_problems = '[]' then
    v_link.id := coalesce(v_former.id, interlock.new_id());
    v_link.source := p_source;
    v_link.id_column := p_map ->> 'id';
    v_link.name_column := p_map ->> 'name';
    v_link.price_column := p_map ->> 'price';
    v_link.price_unit := p_map ->> 'price_unit';
    v_link.currency_column := case when jsonb_typeof(p_map -> 'currency') = 'string' then p_map ->> 'currency' end;
    v_link.currency := p_map -> 'currency' ->> 'is';
    v_link.active_column := coalesce(p_map -> 'active' ->> 'column', case when jsonb_typeof(p_map -> 'active') = 'string' then p_map ->> 'active' end);
    v_link.active_values := case
      when p_map -> 'active' ? 'in' then array(select jsonb_array_elements_text(p_map -> 'active' -> 'in'))
    end;
    v_link.quantity_column := p_map ->> 'quantity';
    v_link.write_back := p_write_back is true;
    v_link.on_write := p_on_write;
    v_link.stock_from := p_stock_from;
    v_link.source_search_path := p_search_path;
    v_link.active := true;
    v_link.created_at := coalesce(v_former.created_at, now());
    select pg_catalog.format_type(a.atttypid, null) into v_link.id_type
    from pg_catalog.pg_attribute a
    where a.attrelid = p_source
      and a.attname = v_link.id_column;

    v_problems := interlock.find_source_problems(v_link);
    execute format('select count(*) from %s', v_source) into v_rows;
    -- Rows whose product is there: linked before, or by the very id.
    execute format(
      $sql$
        select array_agg(r.source_id order by r.source_id)
        from (select s.%I::text as source_id from %s s) r
        left join interlock.linked_products m on m.link_id = $1 and m.source_id = r.source_id
        join interlock.products p on p.id = coalesce(m.product_id, case when $2 then interlock.to_uuid(r.source_id) end)
      $sql$,
      v_link.id_column, v_source
    ) into v_known using v_link.id, v_link.id_type = 'uuid';
    v_known := coalesce(v_known, '{}');
  end if;

  if p_dry_run then
    return jsonb_build_object(
      'success', v_problems = '[]', 'dry_run', true, 'source', v_source, 'problems', v_problems,
      'rows', v_rows, 'known', cardinality(v_known)
    );
  end if;
  perform interlock.refuse_problems(v_problems);

  perform interlock.make_link_triggers(p_source, 'note_linked_changes');
  if v_link.write_back and not exists (
    select
    from pg_catalog.pg_trigger t
    where t.tgrelid = 'interlock.products'::regclass
      and t.tgname = 'products_written_back'
  ) then
    execute $sql$
      create trigger products_written_back after update on interlock.products
        for each row when (new.available_quantity is distinct from old.available_quantity)
        execute function interlock.write_stock_back()
    $sql$;
  end if;

  insert into interlock.product_links select v_link.*
  on conflict on constraint product_links_pkey do update
  set id_type = excluded.id_type,
      name_column = excluded.name_column,
      price_column = excluded.price_column,
      price_unit = excluded.price_unit,
      currency_column = excluded.currency_column,
      currency = excluded.currency,
      active_column = excluded.active_column,
      active_values = excluded.active_values,
      quantity_column = excluded.quantity_column,
      write_back = excluded.write_back,
      on_write = excluded.on_write,
      stock_from = excluded.stock_from,
      source_search_path = excluded.source_search_path,
      active = true;

  if p_stock_from = 'source' and v_link.quantity_column is not null then
    perform interlock.bring_products(v_link, v_known, array_fill(0::numeric, array[cardinality(v_known)]), true);
  end if;
  return interlock.fill_link(p_source, p_fill) || jsonb_build_object('dry_run', false, 'problems', v_problems, 'rows', v_rows, 'known', cardinality(v_known));
end
$$;

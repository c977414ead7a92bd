-- Note what a statement has changed in a linked table, for interlock.bring_linked_changes to bring it to the products at the
-- commit. Only columns that are linked count, and rows whose stock is still to be written back. Stock is noted as a
-- difference: what is sold between a read of the app and its write is not lost. With on_write = 'refuse' a change of it is
-- refused. What interlock.try_write_back writes is no change.
--
-- Callers: triggers interlock_linked_insert, _update, _delete and _truncate on linked tables, once for each statement.
-- Locks: none.
-- Errors: STOCK_NOT_RELATIVE; 23001 restrict_violation for a truncate; 55000 for a table that is linked to another shop.
-- Security definer: whoever may write the shop's table need not know of this schema.
create function interlock.note_linked_changes()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_link interlock.product_links;
  v_id text;
  v_new text;
  v_old text;
  v_others text;
  v_source_ids text[];
  v_differences numeric[];
  v_changed text[];
  v_written constant text := current_setting('interlock.written_back_row', true);
begin
  select l.* into v_link from interlock.product_links l where l.source = tg_relid and l.active;
  if not found then
    if interlock.serves_shops() and interlock.is_linked(tg_relid) then
      -- The trigger goes with the link: there is one, of another shop.
      raise exception using
        errcode = 'object_not_in_prerequisite_state',
        schema = tg_table_schema,
        table = tg_table_name,
        message = format('%I.%I is linked to another shop than shop %s', tg_table_schema, tg_table_name, interlock.shop_id()),
        hint = 'Say the shop of the link: in the header x-shop, or with set_config(''interlock.shop'', SHOP, true).';
    end if;
    return null;
  end if;
  if tg_op = 'TRUNCATE' then
    raise exception using
      errcode = 'restrict_violation',
      schema = tg_table_schema,
      table = tg_table_name,
      message = format('%I.%I is linked to products: truncate refused', tg_table_schema, tg_table_name),
      hint = format('Delete its rows, or unlink it first: select interlock.unlink_products(%L).', v_link.source::text);
  end if;

  v_id := quote_ident(v_link.id_column);
  v_new := case when v_link.quantity_column is null then '0' else format('coalesce(n.%I::numeric, 0)', v_link.quantity_column) end;
  v_old := case when v_link.quantity_column is null then '0' else format('coalesce(o.%I::numeric, 0)', v_link.quantity_column) end;

  if tg_op = 'INSERT' then
    execute format(
      'select array_agg(n.%s::text), array_agg(%s) from new_rows n', v_id, v_new
    ) into v_source_ids, v_differences;
  elsif tg_op = 'DELETE' then
    execute format(
      'select array_agg(o.%s::text), array_agg(-%s) from old_rows o', v_id, v_old
    ) into v_source_ids, v_differences;
  else
    v_others := (
      select string_agg(format('o.%1$I::text is distinct from n.%1$I::text', c.name), ' or ')
      from unnest(array[v_link.name_column, v_link.price_column, v_link.currency_column, v_link.active_column]) c (name)
      where c.name is not null
    );
    execute format(
      $sql$
        select
          array_agg(c.source_id), array_agg(c.difference),
          array_agg(c.source_id) filter (where c.difference <> 0 and c.stays)
        from (
          select
            coalesce(n.%1$s, o.%1$s)::text as source_id,
            n.%1$s is not null and o.%1$s is not null as stays,
            %2$s - case when n.%1$s::text = $1 then $2 else %3$s end as difference,
            %4$s as others
          from old_rows o
          full join new_rows n on n.%1$s = o.%1$s
        ) c
        where c.difference <> 0
          or c.others
          or $1 is null and c.source_id in (select w.source_id from interlock.stock_write_backs w where w.link_id = $3)
      $sql$,
      v_id, v_new, v_old, v_others
    )
    into v_source_ids, v_differences, v_changed
    using
      case when v_written like tg_relid || ':%' then substr(v_written, length(tg_relid::text) + 2) end,
      nullif(current_setting('interlock.written_back', true), '')::numeric,
      v_link.id;
    if v_changed is not null and v_link.on_write = 'refuse' then
      perform interlock.raise_error('STOCK_NOT_RELATIVE', (
        select jsonb_build_object('product_id', p.id, 'available', p.available_quantity)
        from interlock.linked_products m
        join interlock.products p on p.id = m.product_id
        where m.link_id = v_link.id
          and m.source_id = v_changed[1]
      ));
    end if;
  end if;

  if v_source_ids is not null then
    insert into interlock.linked_changes (link_id, source_ids, differences)
    values (v_link.id, v_source_ids, v_differences);
  end if;
  return null;
end
$$;

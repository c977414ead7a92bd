-- Note what a statement has changed in a linked table of customers, for interlock.bring_linked_changes to bring it to the customers at
-- the commit. Only columns that are linked count. A key cannot change: it would be another person, and the first one gone.
--
-- Callers: triggers interlock_linked_insert, _update, _delete and _truncate on linked tables, once for each statement.
-- Locks: none.
-- Errors: 23001 restrict_violation for another key and for a truncate; 55000 for a table that is linked to another shop.
-- Security definer: whoever may write the shop's table need not know of this schema.
create function interlock.note_linked_people()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_link interlock.customer_links;
  v_source_ids text[];
  v_entries text[];
  v_moved boolean;
begin
  select l.* into v_link from interlock.customer_links l where l.source = tg_relid and l.active;
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
      message = format('%I.%I is linked to customers: truncate refused', tg_table_schema, tg_table_name),
      hint = format('Delete its rows, or unlink it first: select interlock.unlink_customers(%L).', v_link.source::text);
  end if;

  if tg_op = 'INSERT' then
    execute format(
      'select array_agg(n.%1$I::text), array_agg($1) from new_rows n', v_link.id_column
    ) into v_source_ids, v_entries using 'name,email,phone,user,marketing';
  elsif tg_op = 'DELETE' then
    execute format(
      'select array_agg(o.%1$I::text), array_agg($1) from old_rows o', v_link.id_column
    ) into v_source_ids, v_entries using '';
  else
    execute format(
      $sql$
        select
          array_agg(c.source_id) filter (where c.entries <> ''),
          array_agg(c.entries) filter (where c.entries <> ''),
          bool_or(c.moved)
        from (
          select n.%1$I::text as source_id, concat_ws(',', %2$s) as entries, o.%1$I is null as moved
          from new_rows n
          left join old_rows o on o.%1$I = n.%1$I
        ) c
      $sql$,
      v_link.id_column,
      (
        select string_agg(format('case when o.%1$I::text is distinct from n.%1$I::text then %2$L end', e.name, e.entry), ', ')
        from (
          select c.name, 'name' as entry from unnest(v_link.name_columns) as c (name)
          union all
          values
            (v_link.email_column, 'email'), (v_link.phone_column, 'phone'), (v_link.user_column, 'user'),
            (v_link.marketing_column, 'marketing')
        ) e
        where e.name is not null
      )
    ) into v_source_ids, v_entries, v_moved;
    if v_moved then
      raise exception using
        errcode = 'restrict_violation',
        schema = tg_table_schema,
        table = tg_table_name,
        message = format('%I.%I is linked to customers: its key cannot change', tg_table_schema, tg_table_name),
        hint = format('Unlink it first: select interlock.unlink_customers(%L).', v_link.source::text);
    end if;
  end if;

  if v_source_ids is not null then
    insert into interlock.linked_changes (link_id, source_ids, entries)
    values (v_link.id, v_source_ids, v_entries);
  end if;
  return null;
end
$$;

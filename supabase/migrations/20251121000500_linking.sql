-- The shop's own tables: what comes from them, and stock and orders that are written to them.
--
-- Made of supabase/schemas by `cargo xtask codegen`, in the order in which it is loaded. Bodies of functions name objects
-- that come with later files, so they are not checked here.

set local lock_timeout = '5s';
set local check_function_bodies = off;

-- Whether a text is a currency of ISO 4217 that money is counted in, upper case. A price that comes from elsewhere with a
-- currency that nobody knows would be charged with a wrong number of decimals.
--
-- Callers: interlock.read_source, interlock.find_link_problems.
create function interlock.is_currency(p_text text)
returns boolean
language plpgsql
immutable
parallel safe
set search_path = ''
as $$
begin
  return p_text = any (
    '{AED,AFN,ALL,AMD,AOA,ARS,AUD,AWG,AZN,BAM,BBD,BDT,BGN,BHD,BIF,BMD,BND,BOB,BRL,BSD,BTN,BWP,BYN,BZD,CAD,CDF,CHF,CLF,CLP,CNY,
      COP,CRC,CUP,CVE,CZK,DJF,DKK,DOP,DZD,EGP,ERN,ETB,EUR,FJD,FKP,GBP,GEL,GHS,GIP,GMD,GNF,GTQ,GYD,HKD,HNL,HTG,HUF,IDR,ILS,INR,
      IQD,IRR,ISK,JMD,JOD,JPY,KES,KGS,KHR,KMF,KPW,KRW,KWD,KYD,KZT,LAK,LBP,LKR,LRD,LSL,LYD,MAD,MDL,MGA,MKD,MMK,MNT,MOP,MRU,MUR,
      MVR,MWK,MXN,MYR,MZN,NAD,NGN,NIO,NOK,NPR,NZD,OMR,PAB,PEN,PGK,PHP,PKR,PLN,PYG,QAR,RON,RSD,RUB,RWF,SAR,SBD,SCR,SDG,SEK,SGD,
      SHP,SLE,SOS,SRD,SSP,STN,SVC,SYP,SZL,THB,TJS,TMT,TND,TOP,TRY,TTD,TWD,TZS,UAH,UGX,USD,UYI,UYU,UYW,UZS,VED,VES,VND,VUV,WST,
      XAF,XCD,XCG,XOF,XPF,YER,ZAR,ZMW,ZWG}'::text[]
  );
end
$$;

-- What becomes of a product whose row in a linked table has changed.
create type interlock.linked_move as (
  id uuid,
  name text,
  price bigint,
  currency text,
  active boolean,
  available int,
  quantity numeric
);

-- A row of the shop's own table of customers as Interlock would have it, and whose it is. `state` is
--
--   new       nobody's yet; customer_id is null, or that of a customer who is gone
--   known     a customer whom Interlock has already is the same person (customer_links.same_by)
--   linked    that of its customer, also if they were merged into another one meanwhile
--   merged    its customer was merged into that of another row, which speaks for both
--   erased    its customer was taken out, and does not come back by this row
--
-- `problems` keep the row from being taken over; what is `unfit` is null here, and refused or left out as the link says
-- (interlock.source_problems says each in words).
create type interlock.linked_person as (
  source_id text,
  name text,
  email text,
  phone text,
  user_id uuid,
  marketing boolean,
  customer_id uuid,
  state text,
  problems text[],
  unfit text[]
);

-- A row of the shop's own table of products as Interlock would have it: money in minor units, whole units of stock, and by name
-- all that keeps it from being taken over (interlock.source_problems says each in words). What is wrong is null.
create type interlock.source_row as (
  source_id text,
  name text,
  price bigint,
  currency text,
  active boolean,
  quantity int,
  problems text[]
);

-- Bring what this transaction has changed in linked tables to customers and products, all of it at once.
--
-- Callers: trigger linked_changes_brought, at the commit or with `set constraints … immediate`; the first call does all.
-- Locks: as interlock.bring_customers; then products by id, waiting, whatever the order of the statements was; their slots. The rows of the shop's tables are
--   locked before, by their statements, and whoever holds a product waits for none of them (interlock.try_write_back): so
--   nobody waits in a circle.
-- Errors: as interlock.bring_customers and interlock.bring_products; 55P03 after lock_timeout.
-- Security definer: whoever may write the shop's table need not know of this schema.
create function interlock.bring_linked_changes()
returns trigger
language plpgsql
security definer
set search_path = ''
set lock_timeout = '10s'
set plan_cache_mode = force_generic_plan
as $$
declare
  v_link_ids uuid[];
  v_source_ids text[];
  v_differences numeric[];
  v_entries text[];
  v_people interlock.customer_links;
  v_link interlock.product_links;
begin
  with taken as (
    delete from interlock.linked_changes c
    where c.transaction = pg_current_xact_id()
    returning c.link_id, c.source_ids, c.differences, c.entries
  ),
  changed as (
    select t.link_id, u.source_id, sum(u.difference) as difference, string_agg(u.entries, ',') as entries
    from taken t
    cross join unnest(t.source_ids, t.differences, t.entries) as u (source_id, difference, entries)
    group by t.link_id, u.source_id
  )
  select array_agg(c.link_id), array_agg(c.source_id), array_agg(c.difference), array_agg(c.entries)
  into v_link_ids, v_source_ids, v_differences, v_entries
  from changed c;
  if v_link_ids is null then
    return null;
  end if;

  for v_people in
    select l.* from interlock.customer_links l where l.id = any (v_link_ids) and l.active order by l.id
  loop
    perform interlock.bring_customers(
      v_people, array_agg(u.source_id order by u.source_id), array_agg(u.entries order by u.source_id)
    )
    from unnest(v_link_ids, v_source_ids, v_entries) as u (link_id, source_id, entries)
    where u.link_id = v_people.id;
  end loop;

  -- Those of all links before any is changed.
  perform 1
  from interlock.products p
  where p.id = any (array(
    select m.product_id
    from unnest(v_link_ids, v_source_ids) as u (link_id, source_id)
    join interlock.linked_products m on m.link_id = u.link_id and m.source_id = u.source_id
  ))
  order by p.id
  for no key update;

  for v_link in
    select l.* from interlock.product_links l where l.id = any (v_link_ids) and l.active order by l.id
  loop
    perform interlock.bring_products(
      v_link, array_agg(u.source_id order by u.source_id), array_agg(u.difference order by u.source_id)
    )
    from unnest(v_link_ids, v_source_ids, v_differences) as u (link_id, source_id, difference)
    where u.link_id = v_link.id;
  end loop;
  return null;
end
$$;

-- Take a person who was taken out of Interlock out of the shop's own rows as well, where the link says so: those of the customer,
-- and of all who were merged into them.
--
-- Callers: trigger customers_erased_rows on customers, which interlock.link_customers makes with the first link that wants it and
--   interlock.unlink_customers takes away with the last.
-- Locks: as interlock.erase_linked_row.
-- Security definer: whoever takes a person out need not have rights on the shop's table.
create function interlock.erase_linked_rows()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  perform interlock.erase_linked_row(l, m.source_id)
  from interlock.customers c
  join interlock.linked_customers m on m.customer_id = c.id
  join interlock.customer_links l on l.id = m.link_id
  where new.id in (c.id, c.merged_into)
    and l.active
    and l.on_erase <> 'keep';
  return null;
end
$$;

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

-- Write an order that is new, or that has changed, to the tables of the shop's own, at the commit: as it is then, with its lines and
-- details, however many statements came before.
--
-- Callers: triggers orders_linked_insert, orders_linked_update and order_details_linked, which interlock.link_orders makes with the
--   first link and interlock.unlink_orders takes away with the last: without one no order knows of links.
-- Locks: as interlock.write_order_row; the order is locked by the statement.
-- Security definer: whoever orders need not have rights on the shop's table.
create function interlock.write_linked_order()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  perform interlock.write_order_row(l, o.id)
  from interlock.orders o
  join interlock.order_links l on l.since <= o.created_at
  where o.id = case tg_table_name when 'orders' then to_jsonb(new) ->> 'id' else to_jsonb(new) ->> 'order_id' end::uuid;
  return null;
end
$$;

-- Write the stock of a linked product that has changed to the shop's own column.
--
-- Callers: trigger products_written_back on products, which interlock.link_products makes with the first link that wants it and
--   interlock.unlink_products takes away with the last: without one no sale knows of links.
-- Locks: as interlock.try_write_back.
-- Security definer: whoever sells need not have rights on the shop's table.
create function interlock.write_stock_back()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_link interlock.product_links;
  v_source_id text;
begin
  -- interlock.bring_products writes by itself what differs.
  if current_setting('interlock.bringing_products', true) = (pg_trigger_depth() - 1)::text then
    return null;
  end if;
  select m.source_id into v_source_id from interlock.linked_products m where m.product_id = new.id;
  if found then
    select l.* into v_link
    from interlock.linked_products m
    join interlock.product_links l on l.id = m.link_id
    where m.product_id = new.id
      and l.active
      and l.write_back;
    if found then
      perform interlock.try_write_back(v_link, v_source_id, new.id, new.available_quantity);
    end if;
  end if;
  return null;
end
$$;

-- Tables of the shop's own that products come from: which column is what, and what is done with stock. Written by
-- interlock.link_products, which also makes the triggers on the shop's table, and by interlock.fill_link.
--
-- A link that has ended (active is false) keeps its row and its linked_products: linked again, rows find their products.
create table interlock.product_links (
  id uuid not null default interlock.new_id()
    constraint product_links_pkey primary key,
  source regclass not null
    constraint product_links_source_key unique,
  id_column name not null,
  id_type text not null,
  name_column name not null,
  price_column name not null,
  price_unit text not null
    constraint product_links_price_unit_known check (price_unit in ('major', 'minor')),
  currency_column name,
  currency interlock.currency_code,
  active_column name,
  active_values text[],
  quantity_column name,
  write_back boolean not null,
  on_write text not null
    constraint product_links_on_write_known check (on_write in ('difference', 'refuse')),
  stock_from text
    constraint product_links_stock_from_known check (stock_from in ('source', 'interlock')),
  source_search_path text not null,
  active boolean not null default true,
  filled_to text,
  filled_at timestamptz,
  created_at timestamptz not null default now(),
  constraint product_links_one_currency check (num_nonnulls(currency_column, currency) = 1),
  constraint product_links_written_back_is_there check (not write_back or quantity_column is not null)
);

comment on table interlock.product_links is
  'Tables of the shop''s own that products come from. Written by link_products and unlink_products.';
comment on column interlock.product_links.source is
  'The shop''s table.';
comment on column interlock.product_links.id_column is
  'Its key: uuid, a whole number or text.';
comment on column interlock.product_links.id_type is
  'The type of the key, as Postgres writes it.';
comment on column interlock.product_links.name_column is
  'What becomes products.name.';
comment on column interlock.product_links.price_column is
  'What becomes products.price.';
comment on column interlock.product_links.price_unit is
  'Whether prices there are in minor units (1999 cents) or major ones (19.99).';
comment on column interlock.product_links.currency_column is
  'Where the currency of a price stands; null: all are in `currency`.';
comment on column interlock.product_links.currency is
  'The currency of all prices, where no column says it.';
comment on column interlock.product_links.active_column is
  'What becomes products.active; null: all rows are for sale.';
comment on column interlock.product_links.active_values is
  'Which values of that column mean active; null: it is a boolean.';
comment on column interlock.product_links.quantity_column is
  'The shop''s column of stock; null: stock is kept in Interlock alone.';
comment on column interlock.product_links.write_back is
  'Whether sales, adjustments and returns are written to the shop''s column of stock.';
comment on column interlock.product_links.on_write is
  'What a write of the shop''s own to that column is: difference (so many came or went), or refuse.';
comment on column interlock.product_links.stock_from is
  'Which stock counts for a row whose product was there before: that of the source or that of Interlock.';
comment on column interlock.product_links.source_search_path is
  'The search path under which it was linked: what the shop''s own triggers run with while stock is written back.';
comment on column interlock.product_links.active is
  'Whether it is in force.';
comment on column interlock.product_links.filled_to is
  'The key up to which rows that were there before have been taken over.';
comment on column interlock.product_links.filled_at is
  'When the last of them was; null: there are some left.';
comment on column interlock.product_links.created_at is
  'When it was linked.';

alter table interlock.product_links enable row level security;

grant select on table interlock.product_links to service_role;

-- Tables of the shop's own that customers come from: which column is what, and what is done where both sides do not go
-- together. Written by interlock.link_customers, which also makes the triggers on the shop's table, and by
-- interlock.fill_customers.
--
-- A link that has ended (active is false) keeps its row and its linked_customers: linked again, rows find their customers.
create table interlock.customer_links (
  id uuid not null default interlock.new_id()
    constraint customer_links_pkey primary key,
  source regclass not null
    constraint customer_links_source_key unique,
  id_column name not null,
  id_type text not null,
  name_columns name[],
  email_column name,
  phone_column name,
  user_column name,
  marketing_column name,
  marketing_values text[],
  same_by text[] not null
    constraint customer_links_same_by_known check (same_by <@ '{user,email,phone}'),
  unfit text not null
    constraint customer_links_unfit_known check (unfit in ('refuse', 'leave_out')),
  on_delete text not null
    constraint customer_links_on_delete_known check (on_delete in ('erase', 'keep')),
  on_erase text not null
    constraint customer_links_on_erase_known check (on_erase in ('keep', 'clear', 'delete')),
  source_search_path text not null,
  active boolean not null default true,
  filled_to text,
  filled_at timestamptz,
  created_at timestamptz not null default now()
);

comment on table interlock.customer_links is
  'Tables of the shop''s own that customers come from. Written by link_customers and unlink_customers.';
comment on column interlock.customer_links.source is
  'The shop''s table.';
comment on column interlock.customer_links.id_column is
  'Its key: uuid, a whole number or text.';
comment on column interlock.customer_links.id_type is
  'The type of the key, as Postgres writes it.';
comment on column interlock.customer_links.name_columns is
  'What becomes customers.name, joined by blanks; null: nothing does.';
comment on column interlock.customer_links.email_column is
  'What becomes customers.email.';
comment on column interlock.customer_links.phone_column is
  'What becomes customers.phone.';
comment on column interlock.customer_links.user_column is
  'What becomes customers.user_id: their account.';
comment on column interlock.customer_links.marketing_column is
  'What becomes customers.marketing.';
comment on column interlock.customer_links.marketing_values is
  'Which values of that column mean yes; null: it is a boolean.';
comment on column interlock.customer_links.same_by is
  'By what a row is a customer whom Interlock has already: user, email, phone.';
comment on column interlock.customer_links.unfit is
  'What becomes of a name, e-mail, phone or account that cannot be taken over: refuse or leave_out.';
comment on column interlock.customer_links.on_delete is
  'What becomes of the customer of a row that is deleted: erase or keep.';
comment on column interlock.customer_links.on_erase is
  'What becomes of the row of a customer who is taken out: keep, clear or delete.';
comment on column interlock.customer_links.source_search_path is
  'The search path under which it was linked: what the shop''s own triggers run with while a row is cleared or deleted.';
comment on column interlock.customer_links.active is
  'Whether it is in force.';
comment on column interlock.customer_links.filled_to is
  'The key up to which rows that were there before have been taken over.';
comment on column interlock.customer_links.filled_at is
  'When the last of them was; null: there are some left.';
comment on column interlock.customer_links.created_at is
  'When it was linked.';

alter table interlock.customer_links enable row level security;

grant select on table interlock.customer_links to service_role;

-- What a transaction that is under way has changed in linked tables, one row for each statement. At its commit
-- interlock.bring_linked_changes takes them away and brings them to customers and products, each in the order of their ids: so
-- their rows are locked last of all, and for the commit alone, however many statements came before. Nobody else ever sees a row.
create table interlock.linked_changes (
  transaction xid8 not null default pg_current_xact_id(),
  id bigint generated always as identity,
  link_id uuid not null,
  source_ids text[] not null,
  differences numeric[],
  entries text[],
  constraint linked_changes_pkey primary key (transaction, id)
);

comment on table interlock.linked_changes is
  'Changes of linked tables between their statement and the commit; empty for whoever looks.';
comment on column interlock.linked_changes.transaction is
  'Whose.';
comment on column interlock.linked_changes.id is
  'Counts up.';
comment on column interlock.linked_changes.link_id is
  'Of which link.';
comment on column interlock.linked_changes.source_ids is
  'The rows that have changed.';
comment on column interlock.linked_changes.differences is
  'By how much the stock of each product has.';
comment on column interlock.linked_changes.entries is
  'What of each customer has, by the names of the map; empty where the row is gone.';

create constraint trigger linked_changes_brought
  after insert on interlock.linked_changes
  deferrable initially deferred
  for each row
  execute function interlock.bring_linked_changes();

alter table interlock.linked_changes enable row level security;

-- Which customer a row of the shop's own table is. A key that is a uuid is the customer's id as well, unless that is somebody's;
-- others get a new one. A row that is deleted loses its customer: the same key may be somebody else's later.
--
-- The key is kept when a person is taken out, so that the row does not bring them back; interlock.link_customers refuses keys
-- that are e-mail addresses. No foreign key to customers: who merges two of them need not know of links.
create table interlock.linked_customers (
  link_id uuid not null
    constraint linked_customers_link_id_fkey references interlock.customer_links (id) on delete cascade,
  source_id interlock.label not null,
  customer_id uuid not null
    constraint linked_customers_customer_id_key unique,
  filled boolean not null default false,
  to_erase boolean not null default false,
  constraint linked_customers_pkey primary key (link_id, source_id)
);

comment on table interlock.linked_customers is
  'Which customer a row of the shop''s own table is. Everybody sees those of customers that they see.';
comment on column interlock.linked_customers.link_id is
  'Of which link.';
comment on column interlock.linked_customers.source_id is
  'The key in the shop''s table, as text.';
comment on column interlock.linked_customers.customer_id is
  'The customer in Interlock: what a sale at a till names.';
comment on column interlock.linked_customers.filled is
  'Whether it was brought in since the table was linked.';
comment on column interlock.linked_customers.to_erase is
  'Whether the person is still to be taken out of the shop''s row.';

create index linked_customers_to_erase on interlock.linked_customers (link_id, source_id) where to_erase;

alter table interlock.linked_customers enable row level security;

grant select on table interlock.linked_customers to authenticated, service_role;

create policy linked_customers_select_visible
  on interlock.linked_customers
  for select
  to authenticated
  using (exists (select from interlock.customers c where c.id = customer_id));

-- Which product a row of the shop's own table is. A key that is a uuid is the product's id as well, others get a new one. A
-- row that is deleted keeps its product, inactive: orders name it, and the same key may come back.
--
-- No foreign key to products: its check would be looked at by every sale. A product that has an order cannot be deleted
-- anyway, and interlock.product_drift names those that are gone.
create table interlock.linked_products (
  link_id uuid not null
    constraint linked_products_link_id_fkey references interlock.product_links (id) on delete cascade,
  source_id interlock.label not null,
  product_id uuid not null
    constraint linked_products_product_id_key unique,
  filled boolean not null default false,
  constraint linked_products_pkey primary key (link_id, source_id)
);

comment on table interlock.linked_products is
  'Which product a row of the shop''s own table is. Everybody sees those of products that they see.';
comment on column interlock.linked_products.link_id is
  'Of which link.';
comment on column interlock.linked_products.source_id is
  'The key in the shop''s table, as text.';
comment on column interlock.linked_products.product_id is
  'The product in Interlock: what a cart names.';
comment on column interlock.linked_products.filled is
  'Whether it was brought in since the table was linked.';

alter table interlock.linked_products enable row level security;

grant select on table interlock.linked_products to anon, authenticated, service_role;

create policy linked_products_select_visible
  on interlock.linked_products
  for select
  to anon, authenticated
  using (exists (select from interlock.products p where p.id = product_id));

-- Tables of the shop's own that orders are written to: which field of an order goes into which column. Written by
-- interlock.link_orders, which also makes the triggers on orders and their details, and by interlock.fill_orders.
create table interlock.order_links (
  id uuid not null default interlock.new_id()
    constraint order_links_pkey primary key,
  target regclass not null
    constraint order_links_target_key unique,
  map jsonb not null,
  since timestamptz not null,
  target_search_path text not null,
  filled_at timestamptz,
  created_at timestamptz not null default now()
);

comment on table interlock.order_links is
  'Tables of the shop''s own that orders are written to. Written by link_orders and unlink_orders.';
comment on column interlock.order_links.target is
  'The shop''s table.';
comment on column interlock.order_links.map is
  'Which field goes into which column, as link_orders was given it.';
comment on column interlock.order_links.since is
  'Orders that were placed earlier are none of the table''s.';
comment on column interlock.order_links.target_search_path is
  'The search path under which it was linked: what the shop''s own triggers run with.';
comment on column interlock.order_links.filled_at is
  'When the last of the orders that were there before was written; null: there are some left.';
comment on column interlock.order_links.created_at is
  'When it was linked.';

alter table interlock.order_links enable row level security;

grant select on table interlock.order_links to service_role;

-- Orders whose row in the shop's own table could not be written at once: it was locked by somebody, whom a sale does not wait for, or
-- the shop's own triggers or constraints refused. It is written by whoever changes the order next, and by a job, every minute. A row
-- is written and deleted under the lock of its order.
create table interlock.order_write_outs (
  order_id uuid not null,
  link_id uuid not null
    constraint order_write_outs_link_id_fkey references interlock.order_links (id) on delete cascade,
  reason text not null,
  since timestamptz not null default now(),
  constraint order_write_outs_pkey primary key (order_id, link_id)
);

comment on table interlock.order_write_outs is
  'Orders that are still to be written to the shop''s own table.';
comment on column interlock.order_write_outs.order_id is
  'Which order.';
comment on column interlock.order_write_outs.link_id is
  'By which link.';
comment on column interlock.order_write_outs.reason is
  'Why it could not be written.';
comment on column interlock.order_write_outs.since is
  'Since when.';

alter table interlock.order_write_outs enable row level security;

grant select on table interlock.order_write_outs to service_role;

-- Stock that could not be written back to the shop's column at once: its row was locked by somebody, whom a sale does not wait
-- for, or the shop's own triggers or constraints refused. It is written by whoever changes the row or the stock next, and by a
-- job, every minute. A row is written and deleted under the lock of its product.
create table interlock.stock_write_backs (
  product_id uuid not null
    constraint stock_write_backs_pkey primary key,
  link_id uuid not null,
  source_id text not null,
  reason text not null,
  since timestamptz not null default now()
);

comment on table interlock.stock_write_backs is
  'Stock that is still to be written to the shop''s own column.';
comment on column interlock.stock_write_backs.product_id is
  'Of which product.';
comment on column interlock.stock_write_backs.link_id is
  'By which link.';
comment on column interlock.stock_write_backs.source_id is
  'In which row of the shop''s table.';
comment on column interlock.stock_write_backs.reason is
  'Why it could not be written.';
comment on column interlock.stock_write_backs.since is
  'Since when.';

alter table interlock.stock_write_backs enable row level security;

grant select on table interlock.stock_write_backs to service_role;

-- Bring rows of a linked table to their customers, as they are in this transaction. p_entries says for each what of it has changed,
-- by the names of the map: that is taken over, also where it is empty now. Without it, and for a customer whom Interlock had before,
-- all that the row has is, and what it says nothing of stays. Consent to marketing that was withdrawn here is not given again by a row
-- that is only taken over. A row that is gone takes the person out, or leaves them, as the link says.
--
-- Whoever was taken out, or merged into the customer of another row, does not come back by a row that still names them.
--
-- Callers: interlock.bring_linked_changes, interlock.fill_customers.
-- Locks: accounts that rows name, against removal, by id; points of customers whose account changes or who are taken out, by id;
--   customers by id; then e-mail, phone and account in their indexes, waiting for who takes the same.
-- Errors: VALIDATION_FAILED with all rows that are not in order; CONTACT_TAKEN if somebody takes the same again and again; 55P03 after
--   lock_timeout.
create function interlock.bring_customers(
  p_link interlock.customer_links, p_ids text[], p_entries text[] default null
)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_people interlock.linked_person[];
  v_problems jsonb;
  v_gone text[];
  v_written uuid[];
  v_tries int := 0;
begin
  v_people := array(select p from interlock.match_people(p_link, p_ids, p_entries) p);
  perform 1
  from interlock.accounts u
  where u.id in (select p.user_id from unnest(v_people) p)
  order by u.id
  for key share;

  v_gone := array(
    select m.source_id
    from interlock.linked_customers m
    where m.link_id = p_link.id
      and m.source_id = any (p_ids)
    except
    select p.source_id from unnest(v_people) p
  );
  if p_link.on_delete = 'erase' then
    -- One who was merged into somebody else has nothing left to take out.
    perform interlock.forget_customer(g.id)
    from (
      select c.id
      from interlock.linked_customers m
      join interlock.customers c on c.id = m.customer_id
      where m.link_id = p_link.id
        and m.source_id = any (v_gone)
        and num_nonnulls(c.erased_at, c.merged_into) = 0
      order by c.id
    ) g;
  end if;
  delete from interlock.linked_customers m where m.link_id = p_link.id and m.source_id = any (v_gone);

  -- What the orders of an account have earned so far is that of who had it.
  perform interlock.lock_points(c.id)
  from (
    select c.id
    from unnest(v_people) p
    join interlock.customers c on c.id = p.customer_id
    where p.state in ('known', 'linked')
      and c.user_id is distinct from p.user_id
    order by c.id
  ) c;
  perform 1
  from interlock.customers c
  where c.id in (select p.customer_id from unnest(v_people) p where p.state in ('known', 'linked'))
  order by c.id
  for no key update;

  loop
    v_tries := v_tries + 1;
    v_people := array(select p from interlock.match_people(p_link, p_ids, p_entries) p);
    select jsonb_agg(q.problem)
    into v_problems
    from (
      select interlock.problem('/' || p.source_id || '/' || s.entry, s.message || ': ' || s.todo) -> 0 as problem
      from unnest(v_people) p
      cross join unnest(p.problems || case p_link.unfit when 'refuse' then p.unfit end) as u (problem)
      join interlock.source_problems() s on s.problem = u.problem
      order by p.source_id, s.entry
      limit 20
    ) q;
    if v_problems is not null then
      perform interlock.refuse_problems(v_problems);
    end if;
    begin
      v_written := interlock.write_people(p_link, v_people, p_ids, p_entries);
      exit;
    exception
      when unique_violation then
        -- Somebody has committed the same meanwhile: it is theirs.
        if v_tries >= 5 then
          perform interlock.raise_error('CONTACT_TAKEN', jsonb_build_object('source_ids', to_jsonb(p_ids[1:20])));
        end if;
    end;
  end loop;

  perform interlock.note_customer(w.id) from unnest(v_written) as w (id);
end
$$;

-- Bring rows of a linked table to their products, as they are in this transaction: new ones are made, with the stock that the
-- row has; of others name, price, currency and whether they are for sale are taken over, and the stock moves by the difference
-- that is given. A row that is gone makes its product inactive, and what it had goes. With p_set the stock of products that
-- were there before becomes that of the row. Then whatever the shop's column has that is not the stock is written back.
--
-- Callers: interlock.bring_linked_changes, interlock.fill_link, interlock.link_products.
-- Locks: products by id, waiting, their slots; rows of the shop's table as interlock.try_write_back. The rows themselves are
--   held by the caller.
-- Errors: VALIDATION_FAILED with all rows that are not in order; INSUFFICIENT_INVENTORY with every shortage;
--   STOCK_LIMIT_EXCEEDED; 23505 unique_violation if a uuid belongs to a row of another link; 55P03 after lock_timeout.
create function interlock.bring_products(
  p_link interlock.product_links, p_ids text[], p_differences numeric[], p_set boolean default false
)
returns void
language plpgsql
set search_path = ''
-- Statements over arrays are otherwise planned again at each call; for many rows that is worth it.
set plan_cache_mode = force_generic_plan
as $$
declare
  v_rows constant interlock.source_row[] := array(select r from interlock.read_source(p_link, p_ids) r);
  v_problems jsonb;
  v_new uuid[] := '{}'::uuid[];
  v_product_ids uuid[];
  v_slotted uuid[];
begin
  if cardinality(p_ids) > 100 then
    perform set_config('plan_cache_mode', 'force_custom_plan', true);
  end if;

  if exists (select from unnest(v_rows) r where r.problems <> '{}') then
    select jsonb_agg(q.problem)
    into v_problems
    from (
      select interlock.problem('/' || r.source_id || '/' || s.entry, s.message || ': ' || s.todo) -> 0 as problem
      from unnest(v_rows) r
      cross join unnest(r.problems) as u (problem)
      join interlock.source_problems() s on s.problem = u.problem
      order by r.source_id
      limit 20
    ) q;
    perform interlock.refuse_problems(v_problems);
  end if;

  -- Rows without a product get one, unless it is there already, by the very id.
  if exists (
    select
    from unnest(v_rows) r
    left join interlock.linked_products m on m.link_id = p_link.id and m.source_id = r.source_id
    left join interlock.products p on p.id = m.product_id
    where p.id is null
  ) then
    insert into interlock.linked_products (link_id, source_id, product_id)
    select p_link.id, r.source_id, case p_link.id_type when 'uuid' then r.source_id::uuid else interlock.new_id() end
    from unnest(v_rows) r
    where not exists (
      select from interlock.linked_products m where m.link_id = p_link.id and m.source_id = r.source_id
    );
    v_new := array(
      select m.product_id
      from unnest(v_rows) r
      join interlock.linked_products m on m.link_id = p_link.id and m.source_id = r.source_id
      where not exists (select from interlock.products p where p.id = m.product_id)
    );
    insert into interlock.products (id, name, price, currency, available_quantity, active)
    select m.product_id, r.name, r.price, r.currency, r.quantity, r.active
    from unnest(v_rows) r
    join interlock.linked_products m on m.link_id = p_link.id and m.source_id = r.source_id
    join unnest(v_new) as n (id) on n.id = m.product_id;
  end if;

  v_product_ids := array(
    select p.id
    from interlock.products p
    where p.id = any (array(
      select m.product_id
      from interlock.linked_products m
      where m.link_id = p_link.id
        and m.source_id = any (p_ids)
      except
      select n.id from unnest(v_new) as n (id)
    ))
    order by p.id
    for no key update
  );
  if cardinality(v_product_ids) > 0 then
    v_slotted := array(
      select p.id
      from unnest(v_product_ids) as u (id)
      join interlock.products p on p.id = u.id
      where p.stock_slots > 0
      order by p.id
    );
    perform interlock.settle_stock(u.id) from unnest(v_slotted) as u (id);
    perform interlock.move_linked_stock(p_link, v_rows, v_product_ids, p_ids, p_differences, p_set);
    perform interlock.grant_slots(p.id, p.stock_slots, p.available_quantity)
    from interlock.products p
    where p.id = any (v_slotted);
  end if;

  update interlock.linked_products m
  set filled = true
  where m.link_id = p_link.id
    and m.source_id = any (p_ids)
    and not m.filled;

  if p_link.write_back then
    perform interlock.try_write_back(p_link, r.source_id, p.id, p.available_quantity)
    from unnest(v_rows) r
    join interlock.linked_products m on m.link_id = p_link.id and m.source_id = r.source_id
    join interlock.products p on p.id = m.product_id
    where p.available_quantity <> r.quantity
      or exists (select from interlock.stock_write_backs w where w.product_id = p.id);
  end if;
end
$$;

-- The column that an entry of a map names: a text, or the member `column` of an object.
--
-- Callers: interlock.find_order_link_problems, interlock.order_row and what writes its rows.
-- Locks: none.
create function interlock.column_of(p_entry jsonb)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return case jsonb_typeof(p_entry) when 'string' then p_entry #>> '{}' when 'object' then p_entry ->> 'column' end;
end
$$;

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

-- Take away what interlock.make_link_triggers has made.
--
-- Callers: interlock.unlink_products, interlock.unlink_customers.
-- Locks: the table against everybody.
create function interlock.drop_link_triggers(p_source regclass)
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform interlock.let_shops_go(p_source);
  execute format(
    $sql$
      drop trigger if exists interlock_linked_insert on %1$s;
      drop trigger if exists interlock_linked_update on %1$s;
      drop trigger if exists interlock_linked_delete on %1$s;
      drop trigger if exists interlock_linked_truncate on %1$s;
    $sql$,
    interlock.source_name(p_source)
  );
end
$$;

-- Take a person who was taken out of Interlock out of the shop's own row as well, as the link says, if that can be done without
-- waiting for anybody; else, or if the shop's triggers or constraints refuse, note it for later. Returns whether it is done.
--
-- The shop's own triggers run with the search path under which the table was linked, and with the rights of the owner.
--
-- Callers: interlock.erase_linked_rows, interlock.fill_links.
-- Locks: the shop's table against changes of its columns, and the row, both without waiting; what its triggers lock; the row of
--   linked_customers.
create function interlock.erase_linked_row(p_link interlock.customer_links, p_source_id text)
returns boolean
language plpgsql
set search_path = ''
as $$
declare
  v_source constant text := interlock.source_name(p_link.source);
  v_there boolean;
begin
  begin
    execute format('lock table %s in row exclusive mode nowait', v_source);
    execute format('select true from %s s where s.%I = $1::%s for update nowait', v_source, p_link.id_column, p_link.id_type)
    into v_there using p_source_id;
    update interlock.linked_customers m
    set to_erase = false
    where m.link_id = p_link.id
      and m.source_id = p_source_id;
    if v_there then
      perform set_config('search_path', p_link.source_search_path, true);
      execute case p_link.on_erase
        when 'delete' then format('delete from %s', v_source)
        else format('update %s set %s', v_source, (
          select string_agg(format('%I = null', c.name), ', ')
          from unnest(array_cat(p_link.name_columns, array[p_link.email_column, p_link.phone_column, p_link.user_column])) c (name)
          where c.name <> p_link.id_column
        ))
      end || format(' where %I operator(pg_catalog.=) $1::%s', p_link.id_column, p_link.id_type) using p_source_id;
    end if;
    return true;
  exception
    when others then
      null;
  end;
  update interlock.linked_customers m
  set to_erase = true
  where m.link_id = p_link.id
    and m.source_id = p_source_id;
  return false;
end
$$;

-- Take over some more of the rows that were in a linked table of customers before it was linked, p_limit of them at most, while the
-- shop goes on. Each call does what is left, in the order of the keys; rows that somebody holds are passed over and looked for
-- again at the end. Call it until `filled` is true; a job does so every minute. With p_again it begins again with all rows: what they
-- say counts, and rows that are gone are done with as on_delete says.
--
-- Callers: interlock.fill_links, interlock.link_customers; postgres.
-- Locks: the link; rows of the shop's table, never waiting; as interlock.bring_customers.
-- Errors: as interlock.bring_customers; VALIDATION_FAILED if the table is not linked; 55P03 is transient.
create function interlock.fill_customers(p_source regclass, p_limit int default 1000, p_again boolean default false)
returns jsonb
language plpgsql
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_link interlock.customer_links;
  v_source constant text := interlock.source_name(p_source);
  v_ids text[];
  v_left bigint;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  select l.* into v_link from interlock.customer_links l where l.source = p_source and l.active for no key update;
  if not found then
    perform interlock.refuse_problems(interlock.problem('/p_source', 'is not linked: interlock.link_customers links it'));
  end if;

  if p_again then
    update interlock.linked_customers m set filled = false where m.link_id = v_link.id;
    v_link.filled_to := null;
    execute format(
      $sql$
        select array_agg(m.source_id order by m.source_id)
        from interlock.linked_customers m
        where m.link_id = $1
          and not exists (select from %s s where s.%I::text = m.source_id)
      $sql$,
      v_source, v_link.id_column
    ) into v_ids using v_link.id;
    if v_ids is not null then
      perform interlock.bring_customers(v_link, v_ids);
    end if;
  end if;

  v_ids := interlock.next_to_fill(
    'linked_customers', v_link.id, p_source, v_link.id_column, v_link.id_type, v_link.filled_to, p_limit
  );
  if v_ids is not null then
    perform interlock.bring_customers(v_link, v_ids);
  end if;
  v_left := interlock.left_to_fill('linked_customers', v_link.id, p_source, v_link.id_column);

  update interlock.customer_links l
  set filled_to = v_ids[cardinality(v_ids)],
      filled_at = case when v_left = 0 then coalesce(l.filled_at, now()) end
  where l.id = v_link.id;
  return jsonb_build_object(
    'success', true, 'source', v_source, 'done', coalesce(cardinality(v_ids), 0), 'left', v_left, 'filled', v_left = 0
  );
end
$$;

-- Take over some more of the rows that were in a linked table before it was linked, p_limit of them at most, while the shop goes
-- on. Each call does what is left, in the order of the keys; rows that somebody holds are passed over and looked for again at
-- the end. Call it until `filled` is true; a job does so every minute. With p_again it begins again with all rows: they are
-- taken over once more, products whose row is gone become inactive, and the stock of Interlock is written back where that
-- is wanted. So ends whatever interlock.product_drift has found.
--
-- Callers: interlock.fill_links, interlock.link_products; postgres.
-- Locks: the link; rows of the shop's table, never waiting; products as interlock.bring_products.
-- Errors: as interlock.bring_products; VALIDATION_FAILED if the table is not linked; 55P03 is transient.
create function interlock.fill_link(p_source regclass, p_limit int default 1000, p_again boolean default false)
returns jsonb
language plpgsql
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_link interlock.product_links;
  v_source constant text := interlock.source_name(p_source);
  v_ids text[];
  v_left bigint;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  select l.* into v_link from interlock.product_links l where l.source = p_source and l.active for no key update;
  if not found then
    perform interlock.refuse_problems(interlock.problem('/p_source', 'is not linked: interlock.link_products links it'));
  end if;

  if p_again then
    update interlock.linked_products m set filled = false where m.link_id = v_link.id;
    v_link.filled_to := null;
    execute format(
      $sql$
        select array_agg(m.source_id order by m.source_id)
        from interlock.linked_products m
        join interlock.products p on p.id = m.product_id and p.active
        where m.link_id = $1
          and not exists (select from %s s where s.%I::text = m.source_id)
      $sql$,
      v_source, v_link.id_column
    ) into v_ids using v_link.id;
    if v_ids is not null then
      perform interlock.bring_products(v_link, v_ids, array_fill(0::numeric, array[cardinality(v_ids)]));
    end if;
  end if;

  v_ids := interlock.next_to_fill(
    'linked_products', v_link.id, p_source, v_link.id_column, v_link.id_type, v_link.filled_to, p_limit
  );
  if v_ids is not null then
    perform interlock.bring_products(v_link, v_ids, array_fill(0::numeric, array[cardinality(v_ids)]));
  end if;
  v_left := interlock.left_to_fill('linked_products', v_link.id, p_source, v_link.id_column);

  update interlock.product_links l
  set filled_to = v_ids[cardinality(v_ids)],
      filled_at = case when v_left = 0 then coalesce(l.filled_at, now()) end
  where l.id = v_link.id;
  return jsonb_build_object(
    'success', true, 'source', v_source, 'done', coalesce(cardinality(v_ids), 0), 'left', v_left, 'filled', v_left = 0
  );
end
$$;

-- Take over some more rows of a table that was linked, write some more orders to one, or take out of a shop's row a person who was taken out here; answers how
-- many. 0: nothing is left, or what is left is held by somebody.
--
-- Callers: the jobs of interlock.jobs; postgres.
-- Locks: as interlock.fill_link, interlock.fill_customers, interlock.fill_orders, interlock.erase_linked_row.
-- Errors: as these.
create function interlock.fill_links(p_limit int)
returns int
language plpgsql
set search_path = ''
as $$
declare
  v_source regclass;
  v_done int := 0;
begin
  for v_source in select l.source from interlock.product_links l where l.active and l.filled_at is null order by l.id loop
    v_done := (interlock.fill_link(v_source, p_limit) ->> 'done')::int;
    if v_done > 0 then
      return v_done;
    end if;
  end loop;
  for v_source in select l.source from interlock.customer_links l where l.active and l.filled_at is null order by l.id loop
    v_done := (interlock.fill_customers(v_source, p_limit) ->> 'done')::int;
    if v_done > 0 then
      return v_done;
    end if;
  end loop;
  for v_source in select l.target from interlock.order_links l where l.filled_at is null order by l.id loop
    v_done := (interlock.fill_orders(v_source, p_limit) ->> 'done')::int;
    if v_done > 0 then
      return v_done;
    end if;
  end loop;
  select count(*) filter (where interlock.erase_linked_row(l, m.source_id))
  into v_done
  from interlock.linked_customers m
  join interlock.customer_links l on l.id = m.link_id
  where m.to_erase;
  return v_done;
end
$$;

-- Write some more of the orders that a linked table does not have yet, p_limit of them at most, while the shop goes on. Orders that
-- somebody holds are passed over: who changes one writes it. Call it until `filled` is true; a job does so every minute. With p_again it
-- writes those that interlock.order_drift tells.
--
-- Callers: interlock.fill_links, interlock.link_orders; postgres.
-- Locks: the link; orders, never waiting; as interlock.write_order_row.
-- Errors: VALIDATION_FAILED if the table is not linked; 55P03 is transient.
create function interlock.fill_orders(p_target regclass, p_limit int default 1000, p_again boolean default false)
returns jsonb
language plpgsql
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_link interlock.order_links;
  v_target constant text := interlock.source_name(p_target);
  v_limit constant int := greatest(coalesce(p_limit, 1000), 0);
  v_ids uuid[];
  v_done bigint;
  v_left bigint;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  select l.* into v_link from interlock.order_links l where l.target = p_target for no key update;
  if not found then
    perform interlock.refuse_problems(interlock.problem('/p_target', 'is not linked: interlock.link_orders links it'));
  end if;

  if p_again then
    v_ids := array(select distinct d.order_id from interlock.order_drift(p_target, v_link.since) d where d.order_id is not null limit v_limit);
    v_ids := array(
      select o.id from interlock.orders o where o.id = any (v_ids) order by o.id for no key update skip locked
    );
  else
    -- What was refused is noted, and tried by a job of its own.
    execute format(
      $sql$
        select array(
          select o.id
          from interlock.orders o
          where o.created_at >= $1
            and not exists (select from %1$s t where t.%2$I = o.id::%3$s)
            and not exists (select from interlock.order_write_outs w where w.order_id = o.id and w.link_id = $2)
          order by o.id
          limit $3
          for no key update of o skip locked
        )
      $sql$,
      v_target, interlock.column_of(v_link.map -> 'id'), interlock.type_of(p_target, interlock.column_of(v_link.map -> 'id'))
    ) into v_ids using v_link.since, v_link.id, v_limit;
  end if;
  select count(*) filter (where interlock.write_order_row(v_link, i.id)) into v_done from unnest(v_ids) as i (id);
  execute format(
    'select count(*) from interlock.orders o where o.created_at >= $1 and not exists (select from %1$s t where t.%2$I = o.id::%3$s)',
    v_target, interlock.column_of(v_link.map -> 'id'), interlock.type_of(p_target, interlock.column_of(v_link.map -> 'id'))
  ) into v_left using v_link.since;

  update interlock.order_links l
  set filled_at = case when v_left = 0 then coalesce(l.filled_at, now()) end
  where l.id = v_link.id;
  return jsonb_build_object('success', true, 'target', v_target, 'done', v_done, 'left', v_left, 'filled', v_left = 0);
end
$$;

-- What keeps a column from being what an entry of a map says: that there is none of this name, its type, as a key that it is not
-- unique by itself, and where it is to be written that it is generated.
--
-- Callers: interlock.find_link_problems, interlock.find_customer_link_problems, interlock.find_order_link_problems.
-- Locks: none.
create function interlock.find_column_problems(
  p_table regclass, p_pointer text, p_value jsonb, p_types text[], p_key boolean, p_written boolean
)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_column pg_catalog.pg_attribute;
  v_type text;
begin
  select a.* into v_column
  from pg_catalog.pg_attribute a
  where a.attrelid = p_table
    and a.attname = p_value #>> '{}'
    and a.attnum > 0
    and not a.attisdropped;
  if jsonb_typeof(p_value) <> 'string' or not found then
    return interlock.problem(p_pointer, format(
      'names no column of %s: it has %s', interlock.source_name(p_table),
      (
        select string_agg(quote_ident(a.attname), ', ' order by a.attnum)
        from pg_catalog.pg_attribute a
        where a.attrelid = p_table and a.attnum > 0 and not a.attisdropped
      )
    ));
  end if;
  -- Of a domain what it is made of.
  with recursive made_of (oid, base) as (
    select t.oid, t.typbasetype from pg_catalog.pg_type t where t.oid = v_column.atttypid
    union all
    select t.oid, t.typbasetype from made_of m join pg_catalog.pg_type t on t.oid = m.base
  )
  select pg_catalog.format_type(m.oid, null) into v_type from made_of m where m.base = 0;
  if v_type <> all (p_types) then
    return interlock.problem(p_pointer, format(
      '%I is %s, and must be %s', v_column.attname, v_type, array_to_string(p_types, ', ')
    ));
  elsif p_key and not exists (
    select
    from pg_catalog.pg_index i
    where i.indrelid = p_table
      and i.indisunique
      and i.indisvalid
      and i.indpred is null
      and i.indnkeyatts = 1
      and i.indkey[0] = v_column.attnum
  ) then
    return interlock.problem(p_pointer, format(
      '%I has no unique constraint of its own: alter table %s add unique (%1$I)', v_column.attname, interlock.source_name(p_table)
    ));
  elsif p_written and v_column.attgenerated <> '' then
    return interlock.problem(p_pointer, format('%I is generated, so nothing can be written to it', v_column.attname));
  end if;
  return jsonb '[]';
end
$$;

-- What keeps a table from being linked to the customers as the map says, before any of its rows is looked at: each with a pointer
-- into the map. With p_on_erase = 'clear' what is personal in it has to be able to be empty.
--
-- Callers: interlock.link_customers, interlock.customer_drift.
-- Locks: none.
create function interlock.find_customer_link_problems(p_source regclass, p_map jsonb, p_on_erase text)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_problems jsonb := interlock.find_table_problems(p_source, '/p_source');
  v_entry record;
  v_is_listed constant boolean := coalesce(jsonb_typeof(p_map -> 'marketing') = 'object', false);
  v_texts constant text[] := '{text,character varying,character}'::text[];
begin
  if not exists (select from pg_catalog.pg_class c where c.oid = p_source) then
    return v_problems;
  end if;
  if jsonb_typeof(p_map) is distinct from 'object' then
    return v_problems || interlock.problem('/p_map', 'must be an object: {"id": "id", "name": "full_name", "email": "email", …}');
  end if;
  select v_problems || coalesce(jsonb_agg(jsonb_build_object('pointer', '/p_map/' || k.key, 'message', 'is unknown') order by k.key), '[]')
  into v_problems
  from jsonb_object_keys(p_map) as k (key)
  where k.key <> all ('{id,name,email,phone,user,marketing}'::text[]);
  if not p_map ?| '{email,phone,user}' then
    v_problems := v_problems || interlock.problem('/p_map', 'must have an email, a phone or a user: by these a till finds somebody');
  end if;
  if v_is_listed and (
    jsonb_typeof(p_map -> 'marketing' -> 'in') is distinct from 'array' or p_map -> 'marketing' -> 'in' = '[]'
    or jsonb_path_exists(p_map -> 'marketing' -> 'in', '$[*] ? (@.type() != "string")')
  ) then
    v_problems := v_problems || interlock.problem('/p_map/marketing/in', 'must be the values that mean yes: ["opt-in"]');
  end if;

  for v_entry in
    select e.key, e.types, e.pointer, e.value
    from (
      values
        ('id', '{uuid,smallint,integer,bigint,text,character varying}'::text[], '/p_map/id', coalesce(p_map -> 'id', 'null')),
        ('email', v_texts || '{public.citext,extensions.citext,citext}'::text[], '/p_map/email', p_map -> 'email'),
        ('phone', v_texts, '/p_map/phone', p_map -> 'phone'),
        ('user', '{uuid}', '/p_map/user', p_map -> 'user'),
        ('marketing', case when not v_is_listed then '{boolean}'::text[] end,
          case when v_is_listed then '/p_map/marketing/column' else '/p_map/marketing' end,
          case when v_is_listed then coalesce(p_map -> 'marketing' -> 'column', 'null') else p_map -> 'marketing' end)
      union all
      select 'name', v_texts, '/p_map/name', n.value
      from jsonb_array_elements(
        case jsonb_typeof(p_map -> 'name') when 'array' then p_map -> 'name' else jsonb_build_array(p_map -> 'name') end
      ) as n (value)
      where p_map ? 'name'
    ) e (key, types, pointer, value)
    where e.value is not null
  loop
    v_problems := v_problems || interlock.find_column_problems(
      p_source, v_entry.pointer, v_entry.value, v_entry.types, v_entry.key = 'id', p_on_erase = 'clear' and v_entry.key <> 'id'
    );
    if p_on_erase = 'clear' and v_entry.key in ('name', 'email', 'phone', 'user')
      and v_entry.value <> coalesce(p_map -> 'id', 'null')
      and exists (
        select
        from pg_catalog.pg_attribute a
        where a.attrelid = p_source
          and a.attname = v_entry.value #>> '{}'
          and a.attnotnull
      )
    then
      v_problems := v_problems || interlock.problem(v_entry.pointer, format(
        '%I cannot be empty, so nobody can be taken out of it: alter table %s alter %1$I drop not null, or p_on_erase => ''delete''',
        v_entry.value #>> '{}', interlock.source_name(p_source)
      ));
    end if;
  end loop;
  return v_problems;
end
$$;

-- What keeps a table from being linked as the map says, before any of its rows is looked at: each with a pointer into the map.
--
-- Callers: interlock.link_products, interlock.product_drift.
-- Locks: none.
create function interlock.find_link_problems(p_source regclass, p_map jsonb, p_write_back boolean)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_problems jsonb := jsonb '[]';
  v_entry record;
  v_is_currency constant boolean := coalesce(jsonb_typeof(p_map -> 'currency') = 'object' and p_map -> 'currency' ? 'is', false);
  v_is_listed constant boolean := coalesce(jsonb_typeof(p_map -> 'active') = 'object' and p_map -> 'active' ? 'in', false);
begin
  v_problems := interlock.find_table_problems(p_source, '/p_source');
  if not exists (select from pg_catalog.pg_class c where c.oid = p_source) then
    return v_problems;
  end if;

  if jsonb_typeof(p_map) is distinct from 'object' then
    return v_problems || interlock.problem('/p_map', 'must be an object: {"id": "id", "name": "title", "price": "price", …}');
  end if;
  select v_problems || coalesce(jsonb_agg(jsonb_build_object('pointer', '/p_map/' || k.key, 'message', 'is unknown') order by k.key), '[]')
  into v_problems
  from jsonb_object_keys(p_map) as k (key)
  where k.key <> all ('{id,name,price,price_unit,currency,active,quantity}'::text[]);
  if p_map ->> 'price_unit' is null or p_map ->> 'price_unit' not in ('major', 'minor') then
    v_problems := v_problems || interlock.problem('/p_map/price_unit', 'must be major (19.99) or minor (1999)');
  end if;
  if v_is_currency and not coalesce(interlock.is_currency(p_map -> 'currency' ->> 'is'), false) then
    v_problems := v_problems || interlock.problem('/p_map/currency/is', 'must be a currency of ISO 4217, such as EUR');
  end if;
  if v_is_listed and (
    jsonb_typeof(p_map -> 'active' -> 'in') <> 'array' or p_map -> 'active' -> 'in' = '[]'
    or jsonb_path_exists(p_map -> 'active' -> 'in', '$[*] ? (@.type() != "string")')
  ) then
    v_problems := v_problems || interlock.problem('/p_map/active/in', 'must be the values that mean active: ["active"]');
  end if;
  if p_write_back and not p_map ? 'quantity' then
    v_problems := v_problems || interlock.problem('/p_map/quantity', 'is required to write stock back');
  end if;

  for v_entry in
    select e.key, e.required, e.types, e.pointer, e.value
    from (values
      ('id', true, '{uuid,smallint,integer,bigint,text,character varying}'::text[], '/p_map/id', p_map -> 'id'),
      ('name', true, '{text,character varying,character}', '/p_map/name', p_map -> 'name'),
      ('price', true, '{smallint,integer,bigint,numeric,real,double precision}', '/p_map/price', p_map -> 'price'),
      ('currency', not v_is_currency, '{text,character varying,character}', '/p_map/currency', case when not v_is_currency then p_map -> 'currency' end),
      ('active', v_is_listed, case when v_is_listed then null else '{boolean}'::text[] end,
        case when v_is_listed then '/p_map/active/column' else '/p_map/active' end,
        case when v_is_listed then p_map -> 'active' -> 'column' else p_map -> 'active' end),
      ('quantity', false, '{smallint,integer,bigint,numeric,real,double precision}', '/p_map/quantity', p_map -> 'quantity')
    ) e (key, required, types, pointer, value)
  loop
    if v_entry.value is null then
      if v_entry.required then
        v_problems := v_problems || interlock.problem(v_entry.pointer, case v_entry.key
          when 'currency' then 'is required: a column, or {"is": "EUR"}'
          else 'is required: the name of a column'
        end);
      end if;
      continue;
    end if;
    v_problems := v_problems || interlock.find_column_problems(
      p_source, v_entry.pointer, v_entry.value, v_entry.types, v_entry.key = 'id', v_entry.key = 'quantity' and p_write_back
    );
  end loop;
  return v_problems;
end
$$;

-- What keeps orders from being written to a table as the map says, before a row is tried: each with a pointer into the map.
--
-- Callers: interlock.link_orders, interlock.order_drift.
-- Locks: none.
create function interlock.find_order_link_problems(p_target regclass, p_map jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_problems jsonb := interlock.find_table_problems(p_target, '/p_target');
  v_entry record;
begin
  if not exists (select from pg_catalog.pg_class c where c.oid = p_target) then
    return v_problems;
  end if;
  if jsonb_typeof(p_map) is distinct from 'object' then
    return v_problems || interlock.problem('/p_map', 'must be an object: {"id": "interlock_id", "status": "status", "total": "amount", …}');
  end if;
  select v_problems || coalesce(jsonb_agg(jsonb_build_object('pointer', '/p_map/' || k.key, 'message', 'is unknown') order by k.key), '[]')
  into v_problems
  from jsonb_object_keys(p_map) as k (key)
  where k.key <> 'unit'
    and k.key not in (select f.field from interlock.order_fields() f);
  if not p_map ? 'id' then
    v_problems := v_problems || interlock.problem('/p_map/id', 'is required: the column that has the id of the order');
  end if;
  if exists (select from interlock.order_fields() f where f.money and p_map ? f.field)
    and (p_map ->> 'unit' is null or p_map ->> 'unit' not in ('major', 'minor'))
  then
    v_problems := v_problems || interlock.problem('/p_map/unit', 'must be major (19.99) or minor (1999)');
  end if;

  for v_entry in
    select
      f.field, f.types, f.optional, '/p_map/' || f.field as pointer, p_map -> f.field as value,
      interlock.column_of(p_map -> f.field) as column_name
    from interlock.order_fields() f
    where p_map ? f.field
  loop
    if jsonb_typeof(v_entry.value) = 'object' and (
      jsonb_typeof(v_entry.value -> 'as') is distinct from 'object'
      or jsonb_path_exists(v_entry.value -> 'as', '$.* ? (@.type() != "string")')
    ) then
      v_problems := v_problems || interlock.problem(
        v_entry.pointer || '/as', 'must say which word becomes which: {"pending_payment": "pending"}'
      );
    end if;
    v_problems := v_problems || interlock.find_column_problems(
      p_target, v_entry.pointer, coalesce(to_jsonb(v_entry.column_name), 'null'), v_entry.types, v_entry.field = 'id', true
    );
    if v_entry.optional and exists (
      select
      from pg_catalog.pg_attribute a
      where a.attrelid = p_target
        and a.attname = v_entry.column_name
        and a.attnotnull
    ) then
      v_problems := v_problems || interlock.problem(v_entry.pointer, format(
        '%I has to be able to be empty%s: alter table %s alter %1$I drop not null', v_entry.column_name,
        case when v_entry.field in ('user', 'customer') then ', as an order outlives its buyer''s account' end,
        interlock.source_name(p_target)
      ));
    end if;
  end loop;

  select v_problems || coalesce(jsonb_agg(jsonb_build_object(
    'pointer', '/p_map',
    'message', format('%I of %s must be filled, and nothing does: give it a default', q.attname, interlock.source_name(p_target))
  ) order by q.attname), '[]')
  into v_problems
  from (
    select a.attname
    from pg_catalog.pg_attribute a
    where a.attrelid = p_target
      and a.attnum > 0
      and a.attnotnull
      and not a.atthasdef
      and a.attidentity = ''
      and a.attname not in (
        select interlock.column_of(e.value) from jsonb_each(p_map) e where interlock.column_of(e.value) is not null
      )
  ) q;
  select v_problems || coalesce(jsonb_agg(jsonb_build_object(
    'pointer', '/p_map', 'message', format('%I can be one field only', q.name)
  ) order by q.name), '[]')
  into v_problems
  from (
    select interlock.column_of(e.value) as name
    from jsonb_each(p_map) e
    where e.key <> 'unit'
    group by 1
    having count(*) > 1
  ) q
  where q.name is not null;
  return v_problems;
end
$$;

-- What a table of the shop's own refuses when rows are tried: an order in every state that there is, from its first one on, and
-- without a buyer, as it is once their account was deleted; all of it undone. Sequences of the table have gone on by that.
--
-- Callers: interlock.link_orders.
-- Locks: what the table's triggers and foreign keys lock.
create function interlock.find_order_trial_problems(p_link interlock.order_links)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_problems jsonb;
  v_order interlock.orders;
  v_details interlock.order_details;
  v_items interlock.order_items[];
  v_state record;
  v_tried text;
  v_found jsonb := jsonb '[]';
begin
  v_order.id := interlock.new_id();
  v_order.number := (select s.last_value from interlock.orders_number_seq s);
  v_order.user_id := coalesce(
    (select o.user_id from interlock.orders o where o.user_id is not null order by o.id desc limit 1),
    (select u.id from interlock.accounts u order by u.created_at desc nulls last limit 1)
  );
  v_order.currency := coalesce((select p.currency from interlock.products p limit 1), 'EUR');
  v_order.subtotal := 1999;
  v_order.discount := 0;
  v_order.shipping := 0;
  v_order.tax := 0;
  v_order.total := 1999;
  v_order.refunded := 0;
  v_order.created_at := interlock.clock();
  v_details.shipping_address := '{"name": "Trial", "line1": "1 Trial Street"}';
  v_details.contact := '{"email": "trial@example.com"}';
  v_details.metadata := '{"trial": "trial"}';
  v_items := array(
    select jsonb_populate_record(null::interlock.order_items, jsonb_build_object(
      'order_id', v_order.id, 'product_id', interlock.new_id(), 'quantity', 1, 'unit_price', 1999, 'name', 'Trial',
      'kind', 'physical', 'discount', 0, 'tax', 0, 'untracked', false, 'backordered', 0
    ))
  );

  for v_state in
    select *
    from (values
      ('pending_payment', 'unfulfilled', 'bank_transfer'), ('confirmed', 'processing', 'cash_on_delivery'),
      ('paid', 'partly_shipped', 'card'), ('paid', 'shipped', 'wallet'), ('fulfilled', 'delivered', 'card'),
      ('cancelled', 'unfulfilled', 'card'), ('expired', 'unfulfilled', 'bank_transfer'), ('refunded', 'delivered', 'card')
    ) s (status, fulfillment, payment_method)
  loop
    begin
      v_tried := format('an order that is %s and %s, by %s', v_state.status, v_state.fulfillment, v_state.payment_method);
      v_order.payment_method := v_state.payment_method;
      v_order.status := case v_state.payment_method
        when 'cash_on_delivery' then 'confirmed' when 'wallet' then 'paid' else 'pending_payment'
      end;
      v_order.fulfillment := 'unfulfilled';
      v_order.paid_at := case v_order.status when 'paid' then v_order.created_at end;
      perform interlock.put_order_row(p_link, interlock.order_row(p_link, v_order, v_details, v_items));
      v_order.status := v_state.status;
      v_order.fulfillment := v_state.fulfillment;
      v_order.paid_at := case when v_state.status in ('paid', 'fulfilled', 'refunded') then v_order.created_at end;
      v_order.fulfilled_at := case when v_state.fulfillment = 'delivered' then v_order.created_at end;
      v_order.cancelled_at := case when v_state.status in ('cancelled', 'expired') then v_order.created_at end;
      v_order.refunded_at := case v_state.status when 'refunded' then v_order.created_at end;
      perform interlock.put_order_row(p_link, interlock.order_row(p_link, v_order, v_details, v_items));
      if v_state.status in ('fulfilled', 'cancelled', 'expired', 'refunded') then
        v_tried := v_tried || ', and without its buyer''s account';
        perform interlock.put_order_row(p_link, interlock.order_row(
          p_link, jsonb_populate_record(v_order, '{"user_id": null}'), jsonb_populate_record(v_details, '{"shipping_address": null, "contact": null}'), v_items
        ));
      end if;
      raise exception using errcode = 'UNDO1', message = 'undo';
    exception
      when others then
        if sqlstate <> 'UNDO1' then
          v_found := v_found || jsonb_build_array(jsonb_build_object('why', sqlstate || ' ' || sqlerrm, 'what', v_tried));
        end if;
    end;
  end loop;

  select coalesce(jsonb_agg(jsonb_build_object(
    'pointer', '/p_target',
    'message', format('it refuses %s: %s', q.what, q.why),
    'rows', q.times
  ) order by q.place), '[]')
  into v_problems
  from (
    select f.value ->> 'why' as why, (array_agg(f.value ->> 'what' order by f.place))[1] as what, count(*) as times, min(f.place) as place
    from jsonb_array_elements(v_found) with ordinality as f (value, place)
    group by 1
  ) q;
  return v_problems;
end
$$;

-- What is in the way in the rows of a table of customers that is to be linked: each kind once, with how many rows have it, the
-- first of them, and what to do. Or, with p_left_out, what will be left out of them.
--
-- Callers: interlock.link_customers.
-- Locks: none.
create function interlock.find_people_problems(p_people interlock.linked_person[], p_left_out boolean)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select coalesce(jsonb_agg(jsonb_build_object(
    'pointer', '/p_map/' || f.entry,
    'message', format('%s %s: %s', f.times, case f.times when 1 then 'row ' || f.message else 'rows: each ' || f.message end, f.todo),
    'rows', f.times,
    'first', f.first,
    'todo', f.todo
  ) order by f.entry collate "C", f.message collate "C"), '[]')
  from (
    select
      s.entry, s.message, s.todo, count(*) as times,
      (array_agg(p.source_id order by p.source_id))[1:10] as first
    from unnest(p_people) p
    cross join unnest(case when p_left_out then p.unfit else p.problems || p.unfit end) as u (problem)
    join interlock.source_problems() s on s.problem = u.problem
    group by s.entry, s.message, s.todo
  ) f
$$;

-- What is in the way in the rows of a table that is to be linked: each kind once, with how many rows have it, the first of
-- them, and what to do.
--
-- Callers: interlock.link_products.
-- Locks: none.
create function interlock.find_source_problems(p_link interlock.product_links)
returns jsonb
language sql
stable
set search_path = ''
as $$
  with row as materialized (
    select r.*, m.product_id as mapped_id, case when p_link.id_type = 'uuid' then r.source_id::uuid end as own_id
    from interlock.read_source(p_link) r
    left join interlock.linked_products m on m.link_id = p_link.id and m.source_id = r.source_id
  ),
  known as materialized (
    select r.source_id, r.quantity, p.id, p.kind, p.available_quantity - coalesce(s.used, 0) as available
    from row r
    join interlock.products p on p.id = coalesce(r.mapped_id, r.own_id)
    left join lateral (
      select sum(c.used) as used from interlock.counter_slots c where c.owner_id = p.id and p.stock_slots > 0
    ) s on true
  ),
  found (entry, message, todo, source_id) as (
    select s.entry, s.message, s.todo, r.source_id
    from row r
    cross join unnest(r.problems) as u (problem)
    join interlock.source_problems() s on s.problem = u.problem
    union all
    select
      'quantity', 'has another stock than its product in Interlock',
      'say which one counts: p_stock_from => ''source'', or ''interlock''', k.source_id
    from known k
    where p_link.quantity_column is not null
      and p_link.stock_from is null
      and k.kind = 'physical'
      and k.quantity <> k.available
    union all
    select
      'quantity', 'is a digital product in Interlock, whose stock is its codes', 'leave quantity out of the map', k.source_id
    from known k
    where p_link.quantity_column is not null
      and k.kind = 'digital'
    union all
    select
      'id', 'has the key of a product that another table is linked to', 'unlink the other table with p_forget => true', r.source_id
    from row r
    join interlock.linked_products m on m.product_id = r.own_id and m.link_id <> p_link.id
    where r.mapped_id is null
  )
  select coalesce(jsonb_agg(jsonb_build_object(
    'pointer', '/p_map/' || f.entry,
    'message', format('%s %s: %s', f.times, case f.times when 1 then 'row ' || f.message else 'rows: each ' || f.message end, f.todo),
    'rows', f.times,
    'first', f.first,
    'todo', f.todo
  ) order by f.entry collate "C", f.message collate "C"), '[]')
  from (
    select
      f.entry, f.message, f.todo, count(*) as times,
      (array_agg(f.source_id order by f.source_id))[1:10] as first
    from found f
    group by f.entry, f.message, f.todo
  ) f
$$;

-- What keeps a table from being linked at all, whatever comes from it or goes to it.
--
-- Callers: interlock.find_link_problems, interlock.find_customer_link_problems, interlock.find_order_link_problems.
-- Locks: none.
create function interlock.find_table_problems(p_table regclass, p_pointer text)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_problems jsonb := jsonb '[]';
  v_class pg_catalog.pg_class;
  v_schema name;
begin
  select c.* into v_class from pg_catalog.pg_class c where c.oid = p_table;
  if not found then
    return interlock.problem(p_pointer, 'is no table: name it with its schema, such as public.products');
  end if;
  select n.nspname into v_schema from pg_catalog.pg_namespace n where n.oid = v_class.relnamespace;
  if v_schema ~ '^pg_' or v_schema in (
    'information_schema', 'interlock', 'auth', 'storage', 'vault', 'realtime', 'cron', 'net', 'extensions', 'graphql',
    'supabase_functions', 'supabase_migrations'
  ) or v_class.relkind <> 'r' or v_class.relispartition or v_class.relhassubclass or v_class.relpersistence = 't' then
    v_problems := v_problems || interlock.problem(
      p_pointer, 'must be an ordinary table of yours: no view, no partition or parent, and none of the platform or of Interlock'
    );
  end if;
  if not pg_catalog.pg_has_role(
    (select n.nspowner from pg_catalog.pg_namespace n where n.nspname = 'interlock'), v_class.relowner, 'usage'
  ) then
    v_problems := v_problems || interlock.problem(
      p_pointer, format('belongs to %I: alter table %s owner to postgres', v_class.relowner::regrole, interlock.source_name(p_table))
    );
  elsif v_class.relforcerowsecurity then
    v_problems := v_problems || interlock.problem(p_pointer, format(
      'its row security holds its owner, too: alter table %s no force row level security', interlock.source_name(p_table)
    ));
  end if;
  return v_problems;
end
$$;

-- How many rows of a linked table are still to be taken over.
--
-- Callers: interlock.fill_link, interlock.fill_customers.
-- Locks: none.
create function interlock.left_to_fill(p_links text, p_link_id uuid, p_source regclass, p_id_column text)
returns bigint
language plpgsql
set search_path = ''
as $$
declare
  v_left bigint;
begin
  execute format(
    $sql$
      select count(*)
      from %2$s s
      where not exists (
        select
        from interlock.%3$I m
        where m.link_id = $1
          and m.source_id = s.%1$I::text
          and m.filled
      )
    $sql$,
    p_id_column, interlock.source_name(p_source), p_links
  ) into v_left using p_link_id;
  return v_left;
end
$$;

-- Link a table of the shop's own to the customers: from then on who is written there is a customer in Interlock in the same
-- transaction, whom tills find. With p_dry_run it only says what there is and all that is in the way.
--
--   p_map        {"id", "name"?, "email"?, "phone"?, "user"?, "marketing"?}: names of columns; name may be several,
--                marketing {"column": "consent", "in": ["yes"]}
--   p_same_by    by what a row is a customer whom Interlock has already: user, email, phone. Only what the app has verified
--   p_unfit      what becomes of a name, e-mail, phone or account that cannot be taken over: refuse or leave_out
--   p_on_delete  what becomes of the customer of a row that is deleted: erase or keep
--   p_on_erase   what becomes of the row of a customer who is taken out: keep, clear or delete
--   p_fill       how many of the rows that are there are taken over at once; a job takes the rest
--
-- It makes triggers, so it is for migrations and the SQL editor.
--
-- Callers: postgres.
-- Locks: the shop's table against writing, waiting two seconds; customers against it with the first link that clears or deletes; the
--   link; as interlock.bring_customers.
-- Errors: VALIDATION_FAILED with everything that is in the way; those of interlock.bring_customers; 55P03 is transient.
create function interlock.link_customers(
  p_source regclass,
  p_map jsonb,
  p_same_by text[] default '{user}',
  p_unfit text default 'refuse',
  p_on_delete text default 'erase',
  p_on_erase text default 'keep',
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
  v_source constant text := interlock.source_name(p_source);
  v_problems jsonb := interlock.find_customer_link_problems(p_source, p_map, p_on_erase);
  v_link interlock.customer_links;
  v_former interlock.customer_links;
  v_people interlock.linked_person[];
  v_left_out jsonb := jsonb '[]';
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  if p_same_by is null or not p_same_by <@ '{user,email,phone}' then
    v_problems := v_problems || interlock.problem('/p_same_by', 'must be some of user, email, phone, or none');
  end if;
  if p_unfit is null or p_unfit not in ('refuse', 'leave_out') then
    v_problems := v_problems || interlock.problem('/p_unfit', 'must be refuse or leave_out');
  end if;
  if p_on_delete is null or p_on_delete not in ('erase', 'keep') then
    v_problems := v_problems || interlock.problem('/p_on_delete', 'must be erase or keep');
  end if;
  if p_on_erase is null or p_on_erase not in ('keep', 'clear', 'delete') then
    v_problems := v_problems || interlock.problem('/p_on_erase', 'must be keep, clear or delete');
  end if;
  select l.* into v_former from interlock.customer_links l where l.source = p_source;
  if v_former.active then
    v_problems := v_problems || interlock.problem(
      '/p_source', format('is linked: select interlock.unlink_customers(%L) ends that', v_source)
    );
  elsif v_former.id_column <> p_map ->> 'id' then
    v_problems := v_problems || interlock.problem('/p_map/id', format(
      'was %I before: select interlock.unlink_customers(%L, p_forget => true) forgets which row is which customer',
      v_former.id_column, v_source
    ));
  end if;
  if exists (select from interlock.product_links l where l.source = p_source and l.active) then
    v_problems := v_problems || interlock.problem('/p_source', 'is linked to products');
  end if;

  if v_problems = '[]' then
    v_link.id := coalesce(v_former.id, interlock.new_id());
    v_link.source := p_source;
    v_link.id_column := p_map ->> 'id';
    v_link.name_columns := case jsonb_typeof(p_map -> 'name')
      when 'string' then array[p_map ->> 'name']
      when 'array' then array(select jsonb_array_elements_text(p_map -> 'name'))
    end;
    v_link.email_column := p_map ->> 'email';
    v_link.phone_column := p_map ->> 'phone';
    v_link.user_column := p_map ->> 'user';
    v_link.marketing_column := coalesce(
      p_map -> 'marketing' ->> 'column', case when jsonb_typeof(p_map -> 'marketing') = 'string' then p_map ->> 'marketing' end
    );
    v_link.marketing_values := case
      when p_map -> 'marketing' ? 'in' then array(select jsonb_array_elements_text(p_map -> 'marketing' -> 'in'))
    end;
    v_link.same_by := p_same_by;
    v_link.unfit := p_unfit;
    v_link.on_delete := p_on_delete;
    v_link.on_erase := p_on_erase;
    v_link.source_search_path := p_search_path;
    v_link.active := true;
    v_link.created_at := coalesce(v_former.created_at, now());
    select pg_catalog.format_type(a.atttypid, null) into v_link.id_type
    from pg_catalog.pg_attribute a
    where a.attrelid = p_source
      and a.attname = v_link.id_column;

    v_people := array(select p from interlock.match_people(v_link) p);
    if p_unfit = 'leave_out' then
      v_left_out := interlock.find_people_problems(v_people, true);
      v_people := array(
        select (
          p.source_id, p.name, p.email, p.phone, p.user_id, p.marketing, p.customer_id, p.state, p.problems, '{}'::text[]
        )::interlock.linked_person
        from unnest(v_people) p
      );
    end if;
    v_problems := interlock.find_people_problems(v_people, false);
  end if;

  if p_dry_run then
    return jsonb_build_object(
      'success', v_problems = '[]', 'dry_run', true, 'source', v_source, 'problems', v_problems, 'left_out', v_left_out,
      'rows', cardinality(v_people), 'known', (select count(*) from unnest(v_people) p where p.state <> 'new')
    );
  end if;
  perform interlock.refuse_problems(v_problems);

  perform interlock.make_link_triggers(p_source, 'note_linked_people');
  if p_on_erase <> 'keep' and not exists (
    select
    from pg_catalog.pg_trigger t
    where t.tgrelid = 'interlock.customers'::regclass
      and t.tgname = 'customers_erased_rows'
  ) then
    execute $sql$
      create trigger customers_erased_rows after update on interlock.customers
        for each row when (new.erased_at is not null and old.erased_at is null)
        execute function interlock.erase_linked_rows()
    $sql$;
  end if;

  insert into interlock.customer_links select v_link.*
  on conflict on constraint customer_links_pkey do update
  set id_type = excluded.id_type,
      name_columns = excluded.name_columns,
      email_column = excluded.email_column,
      phone_column = excluded.phone_column,
      user_column = excluded.user_column,
      marketing_column = excluded.marketing_column,
      marketing_values = excluded.marketing_values,
      same_by = excluded.same_by,
      unfit = excluded.unfit,
      on_delete = excluded.on_delete,
      on_erase = excluded.on_erase,
      source_search_path = excluded.source_search_path,
      active = true;

  return interlock.fill_customers(p_source, p_fill) || jsonb_build_object(
    'dry_run', false, 'problems', v_problems, 'left_out', v_left_out, 'rows', cardinality(v_people),
    'known', (select count(*) from unnest(v_people) p where p.state <> 'new')
  );
end
$$;

-- Write orders to a table of the shop's own: from then on a row is there in the same transaction as the order, and has what becomes of
-- it. With p_dry_run it only says what is in the way: rows in every state are tried, and undone.
--
--   p_map    {"id": COLUMN, …}: which field goes into which column (interlock.order_fields); "unit": "major" or "minor" for money;
--            {"column": "state", "as": {"pending_payment": "pending"}} where the shop has other words
--   p_since  orders that were placed earlier are left out
--   p_fill   how many of the orders that are there are written at once; a job does the rest
--
-- It makes triggers, so it is for migrations and the SQL editor.
--
-- Callers: postgres.
-- Locks: orders and their details against writing, waiting two seconds, with the first link; the link; as interlock.fill_orders.
-- Errors: VALIDATION_FAILED with everything that is in the way; 55P03 is transient.
create function interlock.link_orders(
  p_target regclass,
  p_map jsonb,
  p_since timestamptz default '-infinity',
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
  v_target constant text := interlock.source_name(p_target);
  v_problems jsonb := interlock.find_order_link_problems(p_target, p_map);
  v_link interlock.order_links;
  v_orders bigint;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  if p_since is null then
    v_problems := v_problems || interlock.problem('/p_since', 'must be a time');
  end if;
  if exists (select from interlock.order_links l where l.target = p_target) then
    v_problems := v_problems || interlock.problem(
      '/p_target', format('is linked: select interlock.unlink_orders(%L) ends that', v_target)
    );
  end if;
  if v_problems = '[]' then
    v_link.id := interlock.new_id();
    v_link.target := p_target;
    v_link.map := p_map;
    v_link.since := p_since;
    v_link.target_search_path := p_search_path;
    v_link.created_at := now();
    v_problems := interlock.find_order_trial_problems(v_link);
    select count(*) into v_orders from interlock.orders o where o.created_at >= p_since;
  end if;
  if p_dry_run then
    return jsonb_build_object(
      'success', v_problems = '[]', 'dry_run', true, 'target', v_target, 'problems', v_problems, 'orders', v_orders
    );
  end if;
  perform interlock.refuse_problems(v_problems);

  perform interlock.let_shops_reach(p_target);
  if not exists (select from interlock.order_links) then
    create constraint trigger orders_linked_insert after insert on interlock.orders
      deferrable initially deferred for each row
      execute function interlock.write_linked_order();
    create constraint trigger orders_linked_update after update on interlock.orders
      deferrable initially deferred for each row when (old.* is distinct from new.*)
      execute function interlock.write_linked_order();
    create constraint trigger order_details_linked after insert or update on interlock.order_details
      deferrable initially deferred for each row
      execute function interlock.write_linked_order();
  end if;
  insert into interlock.order_links select v_link.*;
  return interlock.fill_orders(p_target, p_fill) || jsonb_build_object('dry_run', false, 'problems', v_problems, 'orders', v_orders);
end
$$;

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

-- Make the triggers on a table of the shop's own that note what its statements change.
--
-- Callers: interlock.link_products, interlock.link_customers.
-- Locks: the table against writing.
create function interlock.make_link_triggers(p_source regclass, p_function text)
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform interlock.let_shops_reach(p_source);
  execute format(
    $sql$
      create trigger interlock_linked_insert after insert on %1$s
        referencing new table as new_rows
        for each statement execute function interlock.%2$I();
      create trigger interlock_linked_update after update on %1$s
        referencing old table as old_rows new table as new_rows
        for each statement execute function interlock.%2$I();
      create trigger interlock_linked_delete after delete on %1$s
        referencing old table as old_rows
        for each statement execute function interlock.%2$I();
      create trigger interlock_linked_truncate before truncate on %1$s
        for each statement execute function interlock.%2$I();
    $sql$,
    interlock.source_name(p_source), p_function
  );
end
$$;

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

-- Take over what rows of a linked table say about products that are there, and move their stock by what the rows have moved it.
-- What is untracked, and a row that is gone, never ends below 0.
--
-- Callers: interlock.bring_products, which holds the products and has called in their slots.
-- Locks: the products, held already.
-- Errors: INSUFFICIENT_INVENTORY with every shortage; STOCK_LIMIT_EXCEEDED with every product that has no room.
create function interlock.move_linked_stock(
  p_link interlock.product_links,
  p_rows interlock.source_row[],
  p_product_ids uuid[],
  p_ids text[],
  p_differences numeric[],
  p_set boolean
)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_moves interlock.linked_move[];
  v_refused jsonb;
  v_bringing constant text := current_setting('interlock.bringing_products', true);
begin
  v_moves := array(
    select (
      p.id, coalesce(r.name, p.name), coalesce(r.price, p.price), coalesce(r.currency, p.currency), coalesce(r.active, false),
      p.available_quantity,
      case when r.source_id is null or p.stock_policy = 'untracked' then greatest(d.quantity, 0) else d.quantity end
    )::interlock.linked_move
    from unnest(p_ids, p_differences) as u (source_id, difference)
    join interlock.linked_products m on m.link_id = p_link.id and m.source_id = u.source_id
    join unnest(p_product_ids) as k (id) on k.id = m.product_id
    join interlock.products p on p.id = k.id
    left join unnest(p_rows) r on r.source_id = u.source_id
    cross join lateral (
      select case when p_set then r.quantity else p.available_quantity + u.difference end as quantity
    ) d
  );

  select jsonb_agg(
    jsonb_build_object('product_id', v.id, 'requested', v.available - v.quantity, 'available', v.available) order by v.id
  )
  into v_refused
  from unnest(v_moves) v
  where v.quantity < 0;
  if v_refused is not null then
    perform interlock.raise_error('INSUFFICIENT_INVENTORY', jsonb_build_object('shortages', v_refused));
  end if;

  select jsonb_agg(v.id order by v.id)
  into v_refused
  from unnest(v_moves) v
  where v.quantity > interlock.most_units();
  if v_refused is not null then
    perform interlock.raise_error(
      'STOCK_LIMIT_EXCEEDED', jsonb_build_object('product_ids', v_refused, 'limit', interlock.most_units())
    );
  end if;

  perform interlock.set_ledger_context('linked', null);
  -- By its depth of triggers: what triggers of the shop's sell meanwhile lies deeper, and is written back.
  perform set_config('interlock.bringing_products', pg_trigger_depth()::text, true);
  update interlock.products p
  set name = c.name,
      price = c.price,
      currency = c.currency,
      active = c.active,
      available_quantity = c.quantity::int
  from unnest(v_moves) c
  where p.id = c.id
    and (p.name::text, p.price::bigint, p.currency::text, p.active, p.available_quantity)
      is distinct from (c.name, c.price, c.currency, c.active, c.quantity);
  perform set_config('interlock.bringing_products', v_bringing, true);
  perform interlock.set_ledger_context(null, null);
end
$$;

-- The next rows of a linked table that were not taken over yet, in the order of their keys: p_limit of them at most, from p_after
-- on, and from the beginning once there are none behind it. Rows that somebody holds are passed over. p_links is the table that
-- says which are: linked_products or linked_customers.
--
-- Callers: interlock.fill_link, interlock.fill_customers.
-- Locks: rows of the shop's table, never waiting.
create function interlock.next_to_fill(
  p_links text, p_link_id uuid, p_source regclass, p_id_column text, p_id_type text, p_after text, p_limit int
)
returns text[]
language plpgsql
set search_path = ''
as $$
declare
  v_after text := p_after;
  v_ids text[];
begin
  loop
    execute format(
      $sql$
        select array_agg(r.source_id)
        from (
          select s.%1$I::text as source_id
          from %2$s s
          where ($1 is null or s.%1$I > $1::%3$s)
            and not exists (
              select
              from interlock.%4$I m
              where m.link_id = $2
                and m.source_id = s.%1$I::text
                and m.filled
            )
          order by s.%1$I
          limit $3
          for no key update of s skip locked
        ) r
      $sql$,
      p_id_column, interlock.source_name(p_source), p_id_type, p_links
    ) into v_ids using v_after, p_link_id, greatest(coalesce(p_limit, 1000), 1);
    exit when v_ids is not null or v_after is null;
    -- Once more from the beginning: rows that were passed over.
    v_after := null;
  end loop;
  return v_ids;
end
$$;

-- Where a linked table and the orders that were placed from p_since on do not say the same, in one snapshot, with what to do; empty where
-- all is well. An order that waits to be written counts once that is ten minutes old.
--
-- Callers: `npm run verify`; service_role, postgres.
-- Locks: none.
-- Security definer: the shop's table need not be open to who asks.
create function interlock.order_drift(p_target regclass default null, p_since timestamptz default now() - interval '30 days')
returns table (
  target text, order_id uuid, what text, in_target text, in_interlock text, todo text
)
language plpgsql
stable
security definer
set search_path = ''
set timezone = 'UTC'
as $$
declare
  v_link interlock.order_links;
  v_broken jsonb;
  v_target text;
  v_key text;
begin
  for v_link in
    select l.* from interlock.order_links l where p_target is null or l.target = p_target order by l.id
  loop
    v_target := interlock.source_name(v_link.target);
    v_broken := interlock.find_order_link_problems(v_link.target, v_link.map);
    if v_broken <> '[]' then
      return query
      select
        coalesce(v_target, v_link.target::oid::text), null::uuid, 'link', b ->> 'pointer', null::text,
        format(
          '%s; or select interlock.unlink_orders(%s)', b ->> 'message',
          coalesce(quote_literal(v_target), v_link.target::oid::text)
        )
      from jsonb_array_elements(v_broken) b;
      continue;
    end if;

    v_key := interlock.column_of(v_link.map -> 'id');
    return query execute format(
      $sql$
        with pair as materialized (
          select o.id, o.number, t.is_row, t.has, t.wanted, w.reason, w.since
          from interlock.orders o
          left join interlock.order_details d on d.order_id = o.id
          left join interlock.order_write_outs w on w.order_id = o.id and w.link_id = ($1).id
          cross join lateral jsonb_to_record(interlock.order_row($1, o, d, array(
            select i from interlock.order_items i where i.order_id = o.id
          ))) as r (%3$s)
          left join lateral (
            select true as is_row, jsonb_build_object(%4$s) as has, jsonb_build_object(%5$s) as wanted
            from %1$s t
            where t.%2$I = r.%2$I
          ) t on true
          where o.created_at >= greatest($2, ($1).since)
        )
        select $3, q.id, q.what, q.has, q.wanted, q.todo
        from (
          select
            p.id, 'missing' as what, null as has, p.number::text as wanted,
            case when p.reason is null then format('select interlock.fill_orders(%%L)', $3) else format('not written since %%s: %%s', p.since, p.reason) end as todo
          from pair p
          where p.is_row is null
            and coalesce(p.since < now() - interval '10 minutes', true)
          union all
          select
            p.id, n.key, p.has ->> n.key, n.value,
            case when p.reason is null then format('select interlock.fill_orders(%%L, p_again => true)', $3) else format('not written since %%s: %%s', p.since, p.reason) end
          from pair p
          cross join jsonb_each_text(p.wanted) n
          where p.has ->> n.key is distinct from n.value
            and coalesce(p.since < now() - interval '10 minutes', true)
        ) q
        order by q.id, q.what
      $sql$,
      v_target, v_key,
      (
        select string_agg(format('%I %s', k.name, interlock.type_of(v_link.target, k.name)), ', ')
        from (select interlock.column_of(e.value) as name from jsonb_each(v_link.map) e where e.key <> 'unit') k
      ),
      (
        select string_agg(format('%L, t.%I::text', k.name, k.name), ', ')
        from (select interlock.column_of(e.value) as name from jsonb_each(v_link.map) e where e.key <> 'unit') k
      ),
      (
        select string_agg(format('%L, r.%I::text', k.name, k.name), ', ')
        from (select interlock.column_of(e.value) as name from jsonb_each(v_link.map) e where e.key <> 'unit') k
      )
    ) using v_link, p_since, v_target;
  end loop;
end
$$;

-- The fields of an order that a table of the shop's own can have: of which types a column can be (null: any into which its text can
-- be written), whether it can be empty, and whether it is money.
--
-- Callers: interlock.find_order_link_problems, interlock.order_row.
-- Locks: none.
create function interlock.order_fields()
returns table (field text, types text[], optional boolean, money boolean)
language sql
immutable
set search_path = ''
as $$
  values
    ('id', '{uuid,text,character varying}'::text[], false, false),
    ('number', '{integer,bigint,numeric,text,character varying}', false, false),
    ('status', null, false, false),
    ('fulfillment', null, false, false),
    ('payment_method', null, false, false),
    ('currency', '{text,character varying,character}', false, false),
    ('subtotal', '{integer,bigint,numeric,real,double precision}', false, true),
    ('discount', '{integer,bigint,numeric,real,double precision}', false, true),
    ('shipping', '{integer,bigint,numeric,real,double precision}', false, true),
    ('tax', '{integer,bigint,numeric,real,double precision}', false, true),
    ('total', '{integer,bigint,numeric,real,double precision}', false, true),
    ('refunded', '{integer,bigint,numeric,real,double precision}', false, true),
    ('user', '{uuid,text,character varying}', true, false),
    ('customer', '{uuid,smallint,integer,bigint,text,character varying}', true, false),
    ('created_at', '{timestamp with time zone,timestamp without time zone,date}', false, false),
    ('paid_at', '{timestamp with time zone,timestamp without time zone,date}', true, false),
    ('shipped_at', '{timestamp with time zone,timestamp without time zone,date}', true, false),
    ('fulfilled_at', '{timestamp with time zone,timestamp without time zone,date}', true, false),
    ('cancelled_at', '{timestamp with time zone,timestamp without time zone,date}', true, false),
    ('refunded_at', '{timestamp with time zone,timestamp without time zone,date}', true, false),
    ('tracking', '{text,character varying}', true, false),
    ('cart_id', '{uuid,text,character varying}', true, false),
    ('lines', '{jsonb,json}', false, true),
    ('shipping_address', '{jsonb,json}', true, false),
    ('contact', '{jsonb,json}', true, false),
    ('metadata', '{jsonb,json}', true, false)
$$;

-- The row of an order as a table of the shop's own has it, by its columns: texts that they read, and JSON.
--
-- Callers: interlock.write_order_row, interlock.find_order_trial_problems, interlock.order_drift.
-- Locks: none.
create function interlock.order_row(
  p_link interlock.order_links, p_order interlock.orders, p_details interlock.order_details, p_items interlock.order_items[]
)
returns jsonb
language plpgsql
stable
set search_path = ''
set timezone = 'UTC'
as $$
declare
  v_scale constant numeric := case p_link.map ->> 'unit' when 'major' then 10::numeric ^ interlock.currency_decimals(p_order.currency) else 1 end;
  v_digits constant int := case p_link.map ->> 'unit' when 'major' then interlock.currency_decimals(p_order.currency) else 0 end;
  v_fields jsonb := to_jsonb(p_order) - 'shop_id' || jsonb_build_object(
    'user', p_order.user_id,
    'subtotal', round(p_order.subtotal / v_scale, v_digits),
    'discount', round(p_order.discount / v_scale, v_digits),
    'shipping', round(p_order.shipping / v_scale, v_digits),
    'tax', round(p_order.tax / v_scale, v_digits),
    'total', round(p_order.total / v_scale, v_digits),
    'refunded', round(p_order.refunded / v_scale, v_digits),
    'shipping_address', p_details.shipping_address,
    'contact', p_details.contact,
    'metadata', p_details.metadata
  );
begin
  if p_link.map ? 'customer' then
    v_fields := v_fields || jsonb_build_object('customer', (
      select m.source_id
      from interlock.customers c
      join interlock.linked_customers m on m.customer_id = c.id
      where c.user_id = p_order.user_id
    ));
  end if;
  if p_link.map ? 'lines' then
    v_fields := v_fields || jsonb_build_object('lines', (
      select coalesce(jsonb_agg(jsonb_build_object(
        'product_id', i.product_id,
        'source_id', m.source_id,
        'name', i.name,
        'quantity', i.quantity,
        'unit_price', round(i.unit_price / v_scale, v_digits),
        'discount', round(i.discount / v_scale, v_digits),
        'tax', round(i.tax / v_scale, v_digits),
        'total', round(i.quantity * i.unit_price / v_scale, v_digits)
      ) order by i.product_id), '[]')
      from unnest(p_items) i
      left join interlock.linked_products m on m.product_id = i.product_id
    ));
  end if;
  return (
    select jsonb_object_agg(
      interlock.column_of(e.value),
      case
        when jsonb_typeof(v_fields -> e.key) in ('object', 'array') then v_fields -> e.key
        else to_jsonb(coalesce(e.value -> 'as' ->> (v_fields ->> e.key), v_fields ->> e.key))
      end
    )
    from jsonb_each(p_link.map) e
    where e.key <> 'unit'
  );
end
$$;

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

-- Insert a row of the shop's own table of orders, or change what of it is another; what is not linked stays as it is. Constraints of the
-- table that are deferred are looked at here, so that they refuse now and not at the commit.
--
-- The shop's own triggers run with the search path under which the table was linked, and with the rights of the owner.
--
-- Callers: interlock.write_order_row, interlock.find_order_trial_problems, each in a sub-transaction.
-- Locks: the row; what the table's triggers and foreign keys lock.
-- Errors: whatever the shop's table raises.
create function interlock.put_order_row(p_link interlock.order_links, p_row jsonb)
returns void
language plpgsql
set search_path = ''
set timezone = 'UTC'
as $$
declare
  v_target constant text := interlock.source_name(p_link.target);
  v_key constant text := interlock.column_of(p_link.map -> 'id');
  v_names text;
  v_values text;
  v_typed text;
  v_found boolean;
  v_deferred text;
begin
  select
    string_agg(quote_ident(a.attname), ', ' order by a.attnum),
    string_agg(format('r.%I', a.attname), ', ' order by a.attnum),
    string_agg(format('%I %s', a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod)), ', ' order by a.attnum)
  into v_names, v_values, v_typed
  from pg_catalog.pg_attribute a
  where a.attrelid = p_link.target
    and p_row ? a.attname;
  select string_agg(format('%I.%I', n.nspname, c.conname), ', ')
  into v_deferred
  from pg_catalog.pg_constraint c
  join pg_catalog.pg_namespace n on n.oid = c.connamespace
  where c.conrelid = p_link.target
    and c.condeferred;

  execute format(
    'select true from %1$s t, jsonb_to_record($1) as r (%2$s) where t.%3$I = r.%3$I', v_target, v_typed, v_key
  ) into v_found using p_row;
  perform set_config('search_path', p_link.target_search_path, true);
  if v_found then
    execute format(
      $sql$
        update %1$s t
        set (%2$s) = row (%3$s)
        from jsonb_to_record($1) as r (%4$s)
        where t.%5$I operator(pg_catalog.=) r.%5$I
          and (%6$s)
      $sql$,
      v_target, v_names, v_values, v_typed, v_key,
      (
        select string_agg(format('t.%1$I::text is distinct from r.%1$I::text', k.name), ' or ')
        from jsonb_object_keys(p_row) as k (name)
      )
    ) using p_row;
  else
    execute format(
      'insert into %1$s (%2$s) select %3$s from jsonb_to_record($1) as r (%4$s)', v_target, v_names, v_values, v_typed
    ) using p_row;
  end if;
  if v_deferred is not null then
    execute 'set constraints ' || v_deferred || ' immediate';
    execute 'set constraints ' || v_deferred || ' deferred';
  end if;
end
$$;

-- Read rows of a linked table of customers as Interlock would have them, those of p_ids or all of them, with all that is wrong with
-- each row by itself. Names of tables and columns come from the catalogue or were compared with it, and are quoted here.
--
-- Callers: interlock.match_people.
-- Locks: none.
create function interlock.read_people(p_link interlock.customer_links, p_ids text[])
returns setof interlock.linked_person
language plpgsql
stable
set search_path = ''
as $$
begin
  return query execute format(
    $sql$
      select
        r.source_id,
        case when interlock.is_line(r.name, 200) then r.name end,
        interlock.normal_email(r.email),
        interlock.normal_phone(r.phone),
        u.id,
        r.marketing,
        null::uuid,
        null::text,
        array_remove(array[
          case when r.source_id is null then 'id_null' when char_length(r.source_id) not between 1 and 200 then 'id_long' end,
          case when interlock.normal_email(r.source_id) is not null then 'id_personal' end
        ], null),
        array_remove(array[
          case when not interlock.is_line(r.name, 200) then 'name_unfit' end,
          case when r.email is not null and interlock.normal_email(r.email) is null then 'email_unfit' end,
          case when r.phone is not null and interlock.normal_phone(r.phone) is null then 'phone_unfit' end,
          case when r.user_id is not null and u.id is null then 'user_unknown' end
        ], null)
      from (
        select
          s.%1$I::text as source_id,
          nullif(btrim(%2$s), '') as name,
          nullif(btrim(%3$s), '') as email,
          nullif(btrim(%4$s), '') as phone,
          %5$s as user_id,
          %6$s as marketing
        from %7$s s
        where %8$s
      ) r
      left join interlock.accounts u on u.id = r.user_id
    $sql$,
    p_link.id_column,
    case
      when p_link.name_columns is null then 'null::text'
      else (select format('concat_ws('' '', %s)', string_agg(format('nullif(btrim(s.%I::text), '''')', c.name), ', ' order by c.n)) from unnest(p_link.name_columns) with ordinality as c (name, n))
    end,
    case when p_link.email_column is null then 'null::text' else format('s.%I::text', p_link.email_column) end,
    case when p_link.phone_column is null then 'null::text' else format('s.%I::text', p_link.phone_column) end,
    case when p_link.user_column is null then 'null::uuid' else format('s.%I::uuid', p_link.user_column) end,
    case
      when p_link.marketing_column is null then 'null::boolean'
      when p_link.marketing_values is null then format('coalesce(s.%I::boolean, false)', p_link.marketing_column)
      else format('coalesce(s.%I::text = any (%L::text[]), false)', p_link.marketing_column, p_link.marketing_values)
    end,
    interlock.source_name(p_link.source),
    case when p_ids is null then 'true' else format('s.%I = any ($1::%s[])', p_link.id_column, p_link.id_type) end
  ) using p_ids;
end
$$;

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

-- The name of a table as SQL takes it, with its schema and quoted, whatever the search path.
--
-- Callers: whatever writes SQL about a linked table.
-- Locks: none.
create function interlock.source_name(p_source regclass)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select format('%I.%I', n.nspname, c.relname)
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.oid = p_source
  );
end
$$;

-- What can be wrong with a row of the shop's own table, by the names that interlock.read_source and interlock.match_people give: which
-- entry of the map it is about, what it is, and what to do about it.
--
-- Callers: interlock.find_source_problems, interlock.bring_products, interlock.product_drift, and the same of customers.
-- Locks: none.
create function interlock.source_problems()
returns table (problem text, entry text, message text, todo text)
language sql
immutable
set search_path = ''
as $$
  values
    ('id_null', 'id', 'has no key', 'give each row a key, and the column a unique constraint'),
    ('id_long', 'id', 'has a key that is empty or longer than 200 characters', 'link a shorter column'),
    ('name_null', 'name', 'has no name', 'fill it in, or link another column'),
    ('name_long', 'name', 'has a name of more than 200 characters', 'shorten it, or link a generated column such as left(title, 200)'),
    ('price_null', 'price', 'has no price', 'fill it in; what cannot be bought is inactive and has the price 0'),
    ('price_negative', 'price', 'has a price below 0', 'correct it'),
    ('price_fraction', 'price', 'has a price with parts of a minor unit', 'round it: update … set price = round(price, 2)'),
    ('price_large', 'price', 'has a price that is no number, or more than 1000000000000 minor units', 'correct it, or look at price_unit'),
    ('currency_null', 'currency', 'has no currency', 'fill it in, or link a constant: {"currency": {"is": "EUR"}}'),
    ('currency_unknown', 'currency', 'has a currency that ISO 4217 does not know', 'write it as three letters, such as EUR'),
    ('quantity_null', 'quantity', 'has no stock', 'write 0; what is never counted gets the policy untracked in Interlock'),
    ('quantity_negative', 'quantity', 'has a stock below 0', 'it is oversold: decide what becomes of those orders, then write what is on the shelf'),
    ('quantity_fraction', 'quantity', 'has a stock that is not in whole units', 'the web shop sells whole units: count in smaller ones'),
    ('quantity_large', 'quantity', 'has a stock that is no number, or above 1000000000', 'for a product without end write 0, and give it the policy untracked in Interlock'),
    ('id_personal', 'id', 'has an e-mail address for a key', 'link a key that is not personal: it is kept when the person is taken out'),
    ('name_unfit', 'name', 'has a name of more than 200 characters, or of several lines', 'correct it, or p_unfit => ''leave_out'''),
    ('email_unfit', 'email', 'has an e-mail address that is none', 'correct it, or p_unfit => ''leave_out'''),
    ('email_twice', 'email', 'has the e-mail address of another row', 'make one of them, or p_unfit => ''leave_out'': one keeps it'),
    ('email_taken', 'email', 'has the e-mail address of a customer in Interlock', 'p_same_by => ''{user,email}'' makes them one where your app has verified it; else correct it, or p_unfit => ''leave_out'' and public.merge_customers'),
    ('phone_unfit', 'phone', 'has a phone number that is none, or without its country', 'correct it, set phone_prefix in interlock.settings, or p_unfit => ''leave_out'''),
    ('phone_twice', 'phone', 'has the phone number of another row', 'make one of them, or p_unfit => ''leave_out'': one keeps it'),
    ('phone_taken', 'phone', 'has the phone number of a customer in Interlock', 'p_same_by => ''{user,phone}'' makes them one where your app has verified it; else correct it, or p_unfit => ''leave_out'' and public.merge_customers'),
    ('user_unknown', 'user', 'has an account that is not in auth.users', 'correct it, or p_unfit => ''leave_out'''),
    ('user_twice', 'user', 'has the account of another row', 'make one of them, or p_unfit => ''leave_out'': one keeps it'),
    ('user_taken', 'user', 'has the account of a customer in Interlock', 'p_same_by => ''{user}'' makes them one; else correct it, or p_unfit => ''leave_out''')
$$;

-- Write the stock of a product to the shop's own column, if that can be done without waiting for anybody; else, or if the
-- shop's triggers or constraints refuse, note it for later. Returns whether the column has it.
--
-- Nobody who sells waits for a row or a lock of the shop's table, for whoever holds one may be waiting for the product. Who
-- holds it writes the stock themselves as they come to the product, or a job does.
--
-- The shop's own triggers run with the search path under which the table was linked, and with the rights of the owner. One that sells something else
-- has that written back meanwhile: what is being written is said again afterwards, for the statement around it is noted when they are done.
--
-- Callers: interlock.write_stock_back, interlock.bring_products, interlock.write_back_stock, each with the product locked.
-- Locks: the shop's table against changes of its columns, and the row, both without waiting; what its triggers lock.
create function interlock.try_write_back(
  p_link interlock.product_links, p_source_id text, p_product_id uuid, p_quantity int
)
returns boolean
language plpgsql
set search_path = ''
as $$
declare
  v_source constant text := interlock.source_name(p_link.source);
  v_present numeric;
  v_reason text;
  v_row constant text := current_setting('interlock.written_back_row', true);
  v_written constant text := current_setting('interlock.written_back', true);
begin
  begin
    execute format('lock table %s in row exclusive mode nowait', v_source);
    execute format(
      'select coalesce(s.%I, -1) from %s s where s.%I = $1::%s for no key update skip locked',
      p_link.quantity_column, v_source, p_link.id_column, p_link.id_type
    ) into v_present using p_source_id;
    if v_present is null then
      execute format('select 1 from %s s where s.%I = $1::%s', v_source, p_link.id_column, p_link.id_type)
      into v_present using p_source_id;
      if v_present is not null then
        raise exception using errcode = 'lock_not_available', message = 'its row is locked';
      end if;
    elsif v_present <> p_quantity then
      perform set_config('interlock.written_back_row', p_link.source::oid || ':' || p_source_id, true);
      perform set_config('interlock.written_back', p_quantity::text, true);
      perform set_config('search_path', p_link.source_search_path, true);
      execute format(
        'update %s set %I = $1 where %I operator(pg_catalog.=) $2::%s',
        v_source, p_link.quantity_column, p_link.id_column, p_link.id_type
      ) using p_quantity, p_source_id;
      perform pg_catalog.set_config('search_path', '', true);
      perform set_config('interlock.written_back_row', v_row, true);
      perform set_config('interlock.written_back', v_written, true);
    end if;
    delete from interlock.stock_write_backs w where w.product_id = p_product_id;
    return true;
  exception
    when others then
      v_reason := case sqlstate when '55P03' then 'locked' else sqlstate || ' ' || left(sqlerrm, 500) end;
  end;
  insert into interlock.stock_write_backs as w (product_id, link_id, source_id, reason)
  values (p_product_id, p_link.id, p_source_id, v_reason)
  on conflict on constraint stock_write_backs_pkey do update
  set reason = excluded.reason
  where w.reason <> excluded.reason;
  return false;
end
$$;

-- The type of a column, as Postgres writes it.
--
-- Callers: whatever writes SQL about a linked table.
-- Locks: none.
create function interlock.type_of(p_table regclass, p_column text)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select pg_catalog.format_type(a.atttypid, a.atttypmod)
    from pg_catalog.pg_attribute a
    where a.attrelid = p_table
      and a.attname = p_column
  );
end
$$;

-- End the link of a table of the shop's own to the customers: its triggers go, and what it has stays as it is; so do the customers.
-- Which row is which customer is kept for the next link, unless p_forget is true. A table that is gone is named by the number that
-- interlock.customer_drift tells.
--
-- Callers: postgres; the rollback.
-- Locks: the shop's table against everybody, waiting two seconds; customers against everybody with the last link that clears or deletes.
-- Errors: VALIDATION_FAILED if it is not linked; 55P03 is transient.
create function interlock.unlink_customers(p_source regclass, p_forget boolean default false)
returns jsonb
language plpgsql
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_link interlock.customer_links;
  v_source constant text := interlock.source_name(p_source);
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  select l.* into v_link from interlock.customer_links l where l.source = p_source for update;
  if not found then
    perform interlock.refuse_problems(interlock.problem('/p_source', 'is not linked'));
  end if;

  if v_source is not null then
    perform interlock.drop_link_triggers(p_source);
  end if;
  update interlock.customer_links l
  set active = false,
      filled_to = null,
      filled_at = null
  where l.id = v_link.id;
  update interlock.linked_customers m
  set filled = false,
      to_erase = false
  where m.link_id = v_link.id
    and (m.filled or m.to_erase);
  if p_forget then
    delete from interlock.customer_links l where l.id = v_link.id;
  end if;
  if not exists (select from interlock.customer_links l where l.active and l.on_erase <> 'keep') then
    drop trigger if exists customers_erased_rows on interlock.customers;
  end if;
  return jsonb_build_object('success', true, 'source', v_source);
end
$$;

-- Write orders no more to a table of the shop's own; what it has stays as it is. What is still to be written is tried first. A table that
-- is gone is named by the number that interlock.order_drift tells.
--
-- Callers: postgres; the rollback.
-- Locks: the link; orders and their details against everybody, waiting two seconds, with the last link; as interlock.write_order_out.
-- Errors: VALIDATION_FAILED if it is not linked; 55P03 is transient.
create function interlock.unlink_orders(p_target regclass)
returns jsonb
language plpgsql
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_link interlock.order_links;
  v_target constant text := interlock.source_name(p_target);
  v_unwritten bigint;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  select l.* into v_link from interlock.order_links l where l.target = p_target for update;
  if not found then
    perform interlock.refuse_problems(interlock.problem('/p_target', 'is not linked'));
  end if;
  if v_target is not null then
    perform interlock.write_order_out(w.order_id)
    from interlock.order_write_outs w
    where w.link_id = v_link.id
    order by w.order_id;
  end if;
  if v_target is not null then
    perform interlock.let_shops_go(p_target);
  end if;
  select count(*) into v_unwritten from interlock.order_write_outs w where w.link_id = v_link.id;
  delete from interlock.order_links l where l.id = v_link.id;
  if not exists (select from interlock.order_links) then
    drop trigger if exists orders_linked_insert on interlock.orders;
    drop trigger if exists orders_linked_update on interlock.orders;
    drop trigger if exists order_details_linked on interlock.order_details;
  end if;
  return jsonb_build_object('success', true, 'target', v_target, 'not_written', v_unwritten);
end
$$;

-- End the link of a table of the shop's own: its triggers go, and what it has stays as it is; so do the products, which can be
-- sold on. Stock that is still to be written to the shop's column is written first. Which row is which product is kept for the
-- next link, unless p_forget is true. A table that is gone is named by the number that interlock.product_drift tells.
--
-- Callers: postgres; the rollback.
-- Locks: the shop's table against everybody, waiting two seconds; products against everybody with the last link that writes
--   back.
-- Errors: VALIDATION_FAILED if it is not linked; 55P03 is transient.
create function interlock.unlink_products(p_source regclass, p_forget boolean default false)
returns jsonb
language plpgsql
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_link interlock.product_links;
  v_source constant text := interlock.source_name(p_source);
  v_unwritten bigint;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  select l.* into v_link from interlock.product_links l where l.source = p_source for update;
  if not found then
    perform interlock.refuse_problems(interlock.problem('/p_source', 'is not linked'));
  end if;

  if v_source is not null then
    perform interlock.drop_link_triggers(p_source);
    perform interlock.write_back_stock(w.product_id)
    from interlock.stock_write_backs w
    where w.link_id = v_link.id
    order by w.product_id;
  end if;
  delete from interlock.stock_write_backs w where w.link_id = v_link.id;
  get diagnostics v_unwritten = row_count;

  update interlock.product_links l
  set active = false,
      filled_to = null,
      filled_at = null
  where l.id = v_link.id;
  update interlock.linked_products m
  set filled = false
  where m.link_id = v_link.id
    and m.filled;
  if p_forget then
    delete from interlock.product_links l where l.id = v_link.id;
  end if;
  if not exists (select from interlock.product_links l where l.active and l.write_back) then
    drop trigger if exists products_written_back on interlock.products;
  end if;
  return jsonb_build_object('success', true, 'source', v_source, 'not_written_back', v_unwritten);
end
$$;

-- Write the stock of a product that is still to be written to the shop's own column; answers 1 if it was. A product that
-- somebody is selling is left for the next time: who sells writes it themselves.
--
-- Callers: the jobs of interlock.jobs; postgres.
-- Locks: the product, without waiting; then as interlock.try_write_back.
create function interlock.write_back_stock(p_product_id uuid)
returns int
language plpgsql
set search_path = ''
as $$
declare
  v_quantity int;
  v_source_id text;
  v_link interlock.product_links;
begin
  select p.available_quantity into v_quantity
  from interlock.products p
  where p.id = p_product_id
  for no key update skip locked;
  if not found then
    return 0;
  end if;
  select m.source_id into v_source_id from interlock.linked_products m where m.product_id = p_product_id;
  select l.* into v_link
  from interlock.linked_products m
  join interlock.product_links l on l.id = m.link_id
  where m.product_id = p_product_id
    and l.active
    and l.write_back;
  if not found then
    delete from interlock.stock_write_backs w where w.product_id = p_product_id;
    return 0;
  end if;
  return interlock.try_write_back(v_link, v_source_id, p_product_id, v_quantity)::int;
end
$$;

-- Write an order that is still to be written to the shop's own table; answers in how many it is now. One that somebody is changing is
-- left for the next time: who does writes it themselves.
--
-- Callers: the jobs of interlock.jobs; postgres.
-- Locks: the order, without waiting; then as interlock.write_order_row.
create function interlock.write_order_out(p_order_id uuid)
returns int
language plpgsql
set search_path = ''
as $$
begin
  perform 1 from interlock.orders o where o.id = p_order_id for no key update skip locked;
  if not found then
    return 0;
  end if;
  return (
    select count(*) filter (where interlock.write_order_row(l, p_order_id))
    from interlock.order_write_outs w
    join interlock.order_links l on l.id = w.link_id
    where w.order_id = p_order_id
  );
end
$$;

-- Write the row of an order to the shop's own table, as the order is in this transaction, if that can be done without waiting for
-- anybody for long; else, or if the shop's triggers or constraints refuse, note it for later. Returns whether the table has it.
--
-- An order is never refused because of the shop's table: it is sold, or paid for, whatever that table says. So what it refuses is
-- told, and tried again, until it has it.
--
-- Callers: interlock.write_linked_order, interlock.write_order_out, interlock.fill_orders, each with the order locked.
-- Locks: the shop's table against changes of its columns, and the row, both without waiting; what its triggers and foreign keys lock, a
--   tenth of a second each.
create function interlock.write_order_row(p_link interlock.order_links, p_order_id uuid)
returns boolean
language plpgsql
set search_path = ''
set lock_timeout = '100ms'
as $$
declare
  v_target constant text := interlock.source_name(p_link.target);
  v_row jsonb;
  v_reason text;
begin
  begin
    select interlock.order_row(p_link, o, d, array(
      select i from interlock.order_items i where i.order_id = o.id
    ))
    into v_row
    from interlock.orders o
    left join interlock.order_details d on d.order_id = o.id
    where o.id = p_order_id;
    execute format('lock table %s in row exclusive mode nowait', v_target);
    execute format(
      'select 1 from %1$s t where t.%2$I = $1::%3$s for no key update nowait',
      v_target, interlock.column_of(p_link.map -> 'id'), interlock.type_of(p_link.target, interlock.column_of(p_link.map -> 'id'))
    ) using p_order_id;
    perform interlock.put_order_row(p_link, v_row);
    delete from interlock.order_write_outs w where w.order_id = p_order_id and w.link_id = p_link.id;
    return true;
  exception
    when others then
      v_reason := case sqlstate when '55P03' then 'locked' else sqlstate || ' ' || left(sqlerrm, 500) end;
  end;
  insert into interlock.order_write_outs (order_id, link_id, reason)
  values (p_order_id, p_link.id, v_reason)
  on conflict on constraint order_write_outs_pkey do update
  set reason = excluded.reason;
  return false;
end
$$;

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

-- Generated by `cargo xtask codegen`: the first sentence of the header of each function.
comment on function interlock.bring_customers is
  'Bring rows of a linked table to their customers, as they are in this transaction.';
comment on function interlock.bring_linked_changes is
  'Bring what this transaction has changed in linked tables to customers and products, all of it at once.';
comment on function interlock.bring_products is
  'Bring rows of a linked table to their products, as they are in this transaction: new ones are made, with the stock that the row has; of others name, price, currency and whether they are for sale are taken over, and the stock moves by the difference that is given.';
comment on function interlock.column_of is
  'The column that an entry of a map names: a text, or the member `column` of an object.';
comment on function interlock.customer_drift is
  'Where a linked table and the customers do not say the same, in one snapshot, with what to do; empty where all is well.';
comment on function interlock.drop_link_triggers is
  'Take away what interlock.make_link_triggers has made.';
comment on function interlock.erase_linked_row is
  'Take a person who was taken out of Interlock out of the shop''s own row as well, as the link says, if that can be done without waiting for anybody; else, or if the shop''s triggers or constraints refuse, note it for later.';
comment on function interlock.erase_linked_rows is
  'Take a person who was taken out of Interlock out of the shop''s own rows as well, where the link says so: those of the customer, and of all who were merged into them.';
comment on function interlock.fill_customers is
  'Take over some more of the rows that were in a linked table of customers before it was linked, p_limit of them at most, while the shop goes on.';
comment on function interlock.fill_link is
  'Take over some more of the rows that were in a linked table before it was linked, p_limit of them at most, while the shop goes on.';
comment on function interlock.fill_links is
  'Take over some more rows of a table that was linked, write some more orders to one, or take out of a shop''s row a person who was taken out here; answers how many.';
comment on function interlock.fill_orders is
  'Write some more of the orders that a linked table does not have yet, p_limit of them at most, while the shop goes on.';
comment on function interlock.find_column_problems is
  'What keeps a column from being what an entry of a map says: that there is none of this name, its type, as a key that it is not unique by itself, and where it is to be written that it is generated.';
comment on function interlock.find_customer_link_problems is
  'What keeps a table from being linked to the customers as the map says, before any of its rows is looked at: each with a pointer into the map.';
comment on function interlock.find_link_problems is
  'What keeps a table from being linked as the map says, before any of its rows is looked at: each with a pointer into the map.';
comment on function interlock.find_order_link_problems is
  'What keeps orders from being written to a table as the map says, before a row is tried: each with a pointer into the map.';
comment on function interlock.find_order_trial_problems is
  'What a table of the shop''s own refuses when rows are tried: an order in every state that there is, from its first one on, and without a buyer, as it is once their account was deleted; all of it undone.';
comment on function interlock.find_people_problems is
  'What is in the way in the rows of a table of customers that is to be linked: each kind once, with how many rows have it, the first of them, and what to do.';
comment on function interlock.find_source_problems is
  'What is in the way in the rows of a table that is to be linked: each kind once, with how many rows have it, the first of them, and what to do.';
comment on function interlock.find_table_problems is
  'What keeps a table from being linked at all, whatever comes from it or goes to it.';
comment on function interlock.is_currency is
  'Whether a text is a currency of ISO 4217 that money is counted in, upper case.';
comment on function interlock.left_to_fill is
  'How many rows of a linked table are still to be taken over.';
comment on function interlock.link_customers is
  'Link a table of the shop''s own to the customers: from then on who is written there is a customer in Interlock in the same transaction, whom tills find.';
comment on function interlock.link_orders is
  'Write orders to a table of the shop''s own: from then on a row is there in the same transaction as the order, and has what becomes of it.';
comment on function interlock.link_products is
  'Link a table of the shop''s own to the products: from then on what is written there reaches Interlock in the same transaction, and with p_write_back the stock that Interlock has is written to the shop''s column.';
comment on function interlock.make_link_triggers is
  'Make the triggers on a table of the shop''s own that note what its statements change.';
comment on function interlock.match_people is
  'Rows of a linked table of customers, those of p_ids or all of them, and whose each is.';
comment on function interlock.move_linked_stock is
  'Take over what rows of a linked table say about products that are there, and move their stock by what the rows have moved it.';
comment on function interlock.next_to_fill is
  'The next rows of a linked table that were not taken over yet, in the order of their keys: p_limit of them at most, from p_after on, and from the beginning once there are none behind it.';
comment on function interlock.note_linked_changes is
  'Note what a statement has changed in a linked table, for interlock.bring_linked_changes to bring it to the products at the commit.';
comment on function interlock.note_linked_people is
  'Note what a statement has changed in a linked table of customers, for interlock.bring_linked_changes to bring it to the customers at the commit.';
comment on function interlock.order_drift is
  'Where a linked table and the orders that were placed from p_since on do not say the same, in one snapshot, with what to do; empty where all is well.';
comment on function interlock.order_fields is
  'The fields of an order that a table of the shop''s own can have: of which types a column can be (null: any into which its text can be written), whether it can be empty, and whether it is money.';
comment on function interlock.order_row is
  'The row of an order as a table of the shop''s own has it, by its columns: texts that they read, and JSON.';
comment on function interlock.product_drift is
  'Where a linked table and the products do not say the same, in one snapshot, with what to do; empty where all is well.';
comment on function interlock.put_order_row is
  'Insert a row of the shop''s own table of orders, or change what of it is another; what is not linked stays as it is.';
comment on function interlock.read_people is
  'Read rows of a linked table of customers as Interlock would have them, those of p_ids or all of them, with all that is wrong with each row by itself.';
comment on function interlock.read_source is
  'Read rows of a linked table as Interlock would have them, those of p_ids or all of them, with all that is wrong with each.';
comment on function interlock.source_name is
  'The name of a table as SQL takes it, with its schema and quoted, whatever the search path.';
comment on function interlock.source_problems is
  'What can be wrong with a row of the shop''s own table, by the names that interlock.read_source and interlock.match_people give: which entry of the map it is about, what it is, and what to do about it.';
comment on function interlock.try_write_back is
  'Write the stock of a product to the shop''s own column, if that can be done without waiting for anybody; else, or if the shop''s triggers or constraints refuse, note it for later.';
comment on function interlock.type_of is
  'The type of a column, as Postgres writes it.';
comment on function interlock.unlink_customers is
  'End the link of a table of the shop''s own to the customers: its triggers go, and what it has stays as it is; so do the customers.';
comment on function interlock.unlink_orders is
  'Write orders no more to a table of the shop''s own; what it has stays as it is.';
comment on function interlock.unlink_products is
  'End the link of a table of the shop''s own: its triggers go, and what it has stays as it is; so do the products, which can be sold on.';
comment on function interlock.write_back_stock is
  'Write the stock of a product that is still to be written to the shop''s own column; answers 1 if it was.';
comment on function interlock.write_linked_order is
  'Write an order that is new, or that has changed, to the tables of the shop''s own, at the commit: as it is then, with its lines and details, however many statements came before.';
comment on function interlock.write_order_out is
  'Write an order that is still to be written to the shop''s own table; answers in how many it is now.';
comment on function interlock.write_order_row is
  'Write the row of an order to the shop''s own table, as the order is in this transaction, if that can be done without waiting for anybody for long; else, or if the shop''s triggers or constraints refuse, note it for later.';
comment on function interlock.write_people is
  'Write what rows of a linked table say to their customers, and make those that are new.';
comment on function interlock.write_stock_back is
  'Write the stock of a linked product that has changed to the shop''s own column.';

-- Who may call what of linked tables. What is not here belongs to its owner: links are made in migrations and the SQL editor.
revoke execute on all functions in schema interlock from public;

grant execute on function interlock.customer_drift to service_role;
grant execute on function interlock.order_drift to service_role;
grant execute on function interlock.product_drift to service_role;

-- What apps read of linked tables over REST, where its name is free in public (interlock.expose): which product or
-- customer a row of the shop's own is.
select interlock.expose('linked_customers');
select interlock.expose('linked_products');

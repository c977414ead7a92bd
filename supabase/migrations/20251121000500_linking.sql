-- The shop's own tables: products that come from them, and stock that is written back.
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

-- Bring what this transaction has changed in linked tables to the products, all of it at once.
--
-- Callers: trigger linked_changes_brought, at the commit or with `set constraints … immediate`; the first call does all.
-- Locks: products by id, waiting, whatever the order of the statements was; their slots. The rows of the shop's tables are
--   locked before, by their statements, and whoever holds a product waits for none of them (interlock.try_write_back): so
--   nobody waits in a circle.
-- Errors: as interlock.bring_products; 55P03 after lock_timeout.
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
  v_link interlock.product_links;
begin
  with taken as (
    delete from interlock.linked_changes c
    where c.transaction = pg_current_xact_id()
    returning c.link_id, c.source_ids, c.differences
  ),
  changed as (
    select t.link_id, u.source_id, sum(u.difference) as difference
    from taken t
    cross join unnest(t.source_ids, t.differences) as u (source_id, difference)
    group by t.link_id, u.source_id
  )
  select array_agg(c.link_id), array_agg(c.source_id), array_agg(c.difference)
  into v_link_ids, v_source_ids, v_differences
  from changed c;
  if v_link_ids is null then
    return null;
  end if;

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

-- Note what a statement has changed in a linked table, for interlock.bring_linked_changes to bring it to the products at the
-- commit. Only columns that are linked count, and rows whose stock is still to be written back. Stock is noted as a
-- difference: what is sold between a read of the app and its write is not lost. With on_write = 'refuse' a change of it is
-- refused. What interlock.try_write_back writes is no change.
--
-- Callers: triggers interlock_linked_insert, _update, _delete and _truncate on linked tables, once for each statement.
-- Locks: none.
-- Errors: STOCK_NOT_RELATIVE; 23001 restrict_violation for a truncate.
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
            case when n.%1$s is null then 0 else %2$s end
              - case when n.%1$s::text = $1 then $2 when o.%1$s is null then 0 else %3$s end as difference,
            %4$s as others
          from old_rows o
          full join new_rows n on n.%1$s = o.%1$s
        ) c
        where c.difference <> 0
          or not c.stays
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
  if current_setting('interlock.bringing_products', true) = 'on' then
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

-- What a transaction that is under way has changed in linked tables, one row for each statement. At its commit
-- interlock.bring_linked_changes takes them away and brings them to the products, in the order of their ids: so rows of
-- products are locked last of all, and for the commit alone, however many statements came before. Nobody else ever sees a row.
create table interlock.linked_changes (
  transaction xid8 not null default pg_current_xact_id(),
  id bigint generated always as identity,
  link_id uuid not null,
  source_ids text[] not null,
  differences numeric[] not null,
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
  'By how much the stock of each has.';

create constraint trigger linked_changes_brought
  after insert on interlock.linked_changes
  deferrable initially deferred
  for each row
  execute function interlock.bring_linked_changes();

alter table interlock.linked_changes enable row level security;

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
  v_new uuid[] := '{}';
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
              from interlock.linked_products m
              where m.link_id = $2
                and m.source_id = s.%1$I::text
                and m.filled
            )
          order by s.%1$I
          limit $3
          for no key update of s skip locked
        ) r
      $sql$,
      v_link.id_column, v_source, v_link.id_type
    ) into v_ids using v_link.filled_to, v_link.id, greatest(coalesce(p_limit, 1000), 1);
    exit when v_ids is not null or v_link.filled_to is null;
    -- Once more from the beginning: rows that were passed over.
    v_link.filled_to := null;
  end loop;

  if v_ids is not null then
    perform interlock.bring_products(v_link, v_ids, array_fill(0::numeric, array[cardinality(v_ids)]));
    v_link.filled_to := v_ids[cardinality(v_ids)];
  end if;
  execute format(
    $sql$
      select count(*)
      from %2$s s
      where not exists (
        select
        from interlock.linked_products m
        where m.link_id = $1
          and m.source_id = s.%1$I::text
          and m.filled
      )
    $sql$,
    v_link.id_column, v_source
  ) into v_left using v_link.id;

  update interlock.product_links l
  set filled_to = v_link.filled_to,
      filled_at = case when v_left = 0 then coalesce(l.filled_at, now()) end
  where l.id = v_link.id;
  return jsonb_build_object(
    'success', true, 'source', v_source, 'done', coalesce(cardinality(v_ids), 0), 'left', v_left, 'filled', v_left = 0
  );
end
$$;

-- Take over some more rows of a table that was linked; answers how many. 0: nothing is left, or what is left is held by
-- somebody.
--
-- Callers: the jobs of interlock.jobs; postgres.
-- Locks: as interlock.fill_link.
-- Errors: as interlock.fill_link.
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
    exit when v_done > 0;
  end loop;
  return v_done;
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
  v_problems jsonb := '[]';
  v_class pg_catalog.pg_class;
  v_schema name;
  v_entry record;
  v_column pg_catalog.pg_attribute;
  v_type text;
  v_is_currency constant boolean := coalesce(jsonb_typeof(p_map -> 'currency') = 'object' and p_map -> 'currency' ? 'is', false);
  v_is_listed constant boolean := coalesce(jsonb_typeof(p_map -> 'active') = 'object' and p_map -> 'active' ? 'in', false);
begin
  select c.* into v_class from pg_catalog.pg_class c where c.oid = p_source;
  if not found then
    return interlock.problem('/p_source', 'is no table: name it with its schema, such as public.products');
  end if;
  select n.nspname into v_schema from pg_catalog.pg_namespace n where n.oid = v_class.relnamespace;
  if v_schema ~ '^pg_' or v_schema in (
    'information_schema', 'interlock', 'auth', 'storage', 'vault', 'realtime', 'cron', 'net', 'extensions', 'graphql',
    'supabase_functions', 'supabase_migrations'
  ) or v_class.relkind <> 'r' or v_class.relispartition or v_class.relhassubclass or v_class.relpersistence = 't' then
    v_problems := v_problems || interlock.problem(
      '/p_source', 'must be an ordinary table of yours: no view, no partition or parent, and none of the platform or of Interlock'
    );
  end if;
  if not pg_catalog.pg_has_role(
    (select n.nspowner from pg_catalog.pg_namespace n where n.nspname = 'interlock'), v_class.relowner, 'usage'
  ) then
    v_problems := v_problems || interlock.problem(
      '/p_source', format('belongs to %I: alter table %s owner to postgres', v_class.relowner::regrole, interlock.source_name(p_source))
    );
  elsif v_class.relforcerowsecurity then
    v_problems := v_problems || interlock.problem('/p_source', format(
      'its row security holds its owner, too: alter table %s no force row level security', interlock.source_name(p_source)
    ));
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
    select a.* into v_column
    from pg_catalog.pg_attribute a
    where a.attrelid = p_source
      and a.attname = v_entry.value #>> '{}'
      and a.attnum > 0
      and not a.attisdropped;
    if jsonb_typeof(v_entry.value) <> 'string' or not found then
      v_problems := v_problems || interlock.problem(v_entry.pointer, format(
        'names no column of %s: it has %s', interlock.source_name(p_source),
        (
          select string_agg(quote_ident(a.attname), ', ' order by a.attnum)
          from pg_catalog.pg_attribute a
          where a.attrelid = p_source and a.attnum > 0 and not a.attisdropped
        )
      ));
      continue;
    end if;
    -- Of a domain what it is made of.
    with recursive made_of (oid, base) as (
      select t.oid, t.typbasetype from pg_catalog.pg_type t where t.oid = v_column.atttypid
      union all
      select t.oid, t.typbasetype from made_of m join pg_catalog.pg_type t on t.oid = m.base
    )
    select pg_catalog.format_type(m.oid, null) into v_type from made_of m where m.base = 0;
    if v_type <> all (v_entry.types) then
      v_problems := v_problems || interlock.problem(v_entry.pointer, format(
        '%I is %s, and must be %s', v_column.attname, v_type, array_to_string(v_entry.types, ', ')
      ));
    elsif v_entry.key = 'id' and not exists (
      select
      from pg_catalog.pg_index i
      where i.indrelid = p_source
        and i.indisunique
        and i.indisvalid
        and i.indpred is null
        and i.indnkeyatts = 1
        and i.indkey[0] = v_column.attnum
    ) then
      v_problems := v_problems || interlock.problem(v_entry.pointer, format(
        '%I has no unique constraint of its own: alter table %s add unique (%1$I)', v_column.attname, interlock.source_name(p_source)
      ));
    elsif v_entry.key = 'quantity' and p_write_back and v_column.attgenerated <> '' then
      v_problems := v_problems || interlock.problem(v_entry.pointer, format(
        '%I is generated, so nothing can be written to it', v_column.attname
      ));
    end if;
  end loop;
  return v_problems;
end
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
  v_problems jsonb := '[]';
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

  execute format(
    $sql$
      create trigger interlock_linked_insert after insert on %1$s
        referencing new table as new_rows
        for each statement execute function interlock.note_linked_changes();
      create trigger interlock_linked_update after update on %1$s
        referencing old table as old_rows new table as new_rows
        for each statement execute function interlock.note_linked_changes();
      create trigger interlock_linked_delete after delete on %1$s
        referencing old table as old_rows
        for each statement execute function interlock.note_linked_changes();
      create trigger interlock_linked_truncate before truncate on %1$s
        for each statement execute function interlock.note_linked_changes();
    $sql$,
    v_source
  );
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
  on conflict (id) do update
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
      active = true,
      filled_to = null,
      filled_at = null;

  if p_stock_from = 'source' and v_link.quantity_column is not null and v_known <> '{}' then
    perform interlock.bring_products(v_link, v_known, array_fill(0::numeric, array[cardinality(v_known)]), true);
  end if;
  return interlock.fill_link(p_source, p_fill) || jsonb_build_object('dry_run', false, 'problems', v_problems, 'rows', v_rows, 'known', cardinality(v_known));
end
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
  perform set_config('interlock.bringing_products', 'on', true);
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
  perform set_config('interlock.bringing_products', '', true);
  perform interlock.set_ledger_context(null, null);
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
language sql
stable
set search_path = ''
as $$
  select format('%I.%I', n.nspname, c.relname)
  from pg_catalog.pg_class c
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where c.oid = p_source
$$;

-- What can be wrong with a row of the shop's own table, by the names that interlock.read_source gives: which entry of the map
-- it is about, what it is, and what to do about it.
--
-- Callers: interlock.find_source_problems, interlock.bring_products, interlock.product_drift.
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
    ('quantity_large', 'quantity', 'has a stock that is no number, or above 1000000000', 'for a product without end write 0, and give it the policy untracked in Interlock')
$$;

-- Write the stock of a product to the shop's own column, if that can be done without waiting for anybody; else, or if the
-- shop's triggers or constraints refuse, note it for later. Returns whether the column has it.
--
-- Nobody who sells waits for a row or a lock of the shop's table, for whoever holds one may be waiting for the product. Who
-- holds it writes the stock themselves as they come to the product, or a job does.
--
-- The shop's own triggers run with the search path under which the table was linked, and with the rights of the owner.
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
      perform set_config('interlock.written_back_row', '', true);
    end if;
    delete from interlock.stock_write_backs w where w.product_id = p_product_id;
    return true;
  exception
    when others then
      v_reason := case sqlstate when '55P03' then 'locked' else sqlstate || ' ' || left(sqlerrm, 500) end;
  end;
  insert into interlock.stock_write_backs as w (product_id, link_id, source_id, reason)
  values (p_product_id, p_link.id, p_source_id, v_reason)
  on conflict (product_id) do update
  set reason = excluded.reason
  where w.reason <> excluded.reason;
  return false;
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
    execute format(
      $sql$
        drop trigger if exists interlock_linked_insert on %1$s;
        drop trigger if exists interlock_linked_update on %1$s;
        drop trigger if exists interlock_linked_delete on %1$s;
        drop trigger if exists interlock_linked_truncate on %1$s;
      $sql$,
      v_source
    );
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

-- Generated by `cargo xtask codegen`: the first sentence of the header of each function.
comment on function interlock.bring_linked_changes is
  'Bring what this transaction has changed in linked tables to the products, all of it at once.';
comment on function interlock.bring_products is
  'Bring rows of a linked table to their products, as they are in this transaction: new ones are made, with the stock that the row has; of others name, price, currency and whether they are for sale are taken over, and the stock moves by the difference that is given.';
comment on function interlock.fill_link is
  'Take over some more of the rows that were in a linked table before it was linked, p_limit of them at most, while the shop goes on.';
comment on function interlock.fill_links is
  'Take over some more rows of a table that was linked; answers how many.';
comment on function interlock.find_link_problems is
  'What keeps a table from being linked as the map says, before any of its rows is looked at: each with a pointer into the map.';
comment on function interlock.find_source_problems is
  'What is in the way in the rows of a table that is to be linked: each kind once, with how many rows have it, the first of them, and what to do.';
comment on function interlock.is_currency is
  'Whether a text is a currency of ISO 4217 that money is counted in, upper case.';
comment on function interlock.link_products is
  'Link a table of the shop''s own to the products: from then on what is written there reaches Interlock in the same transaction, and with p_write_back the stock that Interlock has is written to the shop''s column.';
comment on function interlock.move_linked_stock is
  'Take over what rows of a linked table say about products that are there, and move their stock by what the rows have moved it.';
comment on function interlock.note_linked_changes is
  'Note what a statement has changed in a linked table, for interlock.bring_linked_changes to bring it to the products at the commit.';
comment on function interlock.product_drift is
  'Where a linked table and the products do not say the same, in one snapshot, with what to do; empty where all is well.';
comment on function interlock.read_source is
  'Read rows of a linked table as Interlock would have them, those of p_ids or all of them, with all that is wrong with each.';
comment on function interlock.source_name is
  'The name of a table as SQL takes it, with its schema and quoted, whatever the search path.';
comment on function interlock.source_problems is
  'What can be wrong with a row of the shop''s own table, by the names that interlock.read_source gives: which entry of the map it is about, what it is, and what to do about it.';
comment on function interlock.try_write_back is
  'Write the stock of a product to the shop''s own column, if that can be done without waiting for anybody; else, or if the shop''s triggers or constraints refuse, note it for later.';
comment on function interlock.unlink_products is
  'End the link of a table of the shop''s own: its triggers go, and what it has stays as it is; so do the products, which can be sold on.';
comment on function interlock.write_back_stock is
  'Write the stock of a product that is still to be written to the shop''s own column; answers 1 if it was.';
comment on function interlock.write_stock_back is
  'Write the stock of a linked product that has changed to the shop''s own column.';

-- Who may call what of linked tables. What is not here belongs to its owner: links are made in migrations and the SQL editor.
revoke execute on all functions in schema interlock from public;

grant execute on function interlock.product_drift to service_role;

-- What apps read of linked tables over REST, where its name is free in public (interlock.expose): which product a row of the
-- shop's own is.
select interlock.expose('linked_products');

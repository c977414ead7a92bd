-- Picking and packing number by number: what each function asks first, what it writes (and of what is beside it, nothing), what it answers.
-- Around the session there are another one with the same goods, one that has ended and one of a store, so that whoever does not look which is
-- meant finds one of those.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
set local timezone = 'UTC';
select no_plan();

create function pg_temp.u(p_short text)
returns uuid
language sql
immutable
as $$ select ('72000000-0000-4000-8000-00000000' || lpad(p_short, 4, '0'))::uuid $$;

-- Everything that has an id, by the name by which it is written here.
create temp table n (name text primary key, id uuid not null unique);
grant all on n to authenticated, service_role;
insert into n
values
  ('ann', pg_temp.u('aa')), ('bob', pg_temp.u('bb')), ('driver', pg_temp.u('cc')), ('dora', pg_temp.u('dd')), ('boss', pg_temp.u('ee')),
  ('nobody', pg_temp.u('ff')), ('mug', pg_temp.u('1')), ('pot', pg_temp.u('2')), ('cup', pg_temp.u('3')), ('store', pg_temp.u('50')),
  ('one', pg_temp.u('11')), ('two', pg_temp.u('12')), ('over', pg_temp.u('13')), ('away', pg_temp.u('14')),
  ('a', pg_temp.u('a1')), ('b', pg_temp.u('b1')), ('c', pg_temp.u('c1')), ('d', pg_temp.u('d1')), ('e', pg_temp.u('e1'));
create function pg_temp.id(p_name text)
returns uuid
language sql
as $$ select n.id from n where n.name = p_name $$;

insert into auth.users (id, aud, role, email)
select n.id, 'authenticated', 'authenticated', 'tap-72-' || n.name || '@example.com'
from n
where n.name in ('ann', 'bob', 'driver', 'dora', 'boss');
insert into interlock.locations (id, name) values (pg_temp.id('store'), 'Store');
insert into interlock.products (id, name, price, currency, available_quantity, kind)
select pg_temp.id(p.name), p.name, 500, 'EUR', 100, 'physical' from unnest(array['mug', 'pot', 'cup']) p (name);
insert into interlock.product_barcodes (barcode, product_id) values ('tap72-mug', pg_temp.id('mug')), ('tap72-pot', pg_temp.id('pot'));
insert into interlock.orders (id, user_id, status, currency, subtotal, total, payment_method, fulfillment)
select pg_temp.id(o.name), pg_temp.id('driver'), 'confirmed', 'EUR', 500, 500, 'cash_on_delivery', 'processing'
from unnest(array['a', 'b', 'c', 'd', 'e']) o (name);

-- Of one: five mugs, three for a and two for b, and a pot for a. Of two: four mugs and a cup for c. Of over, which has ended with its box
-- open, and of away, at the store: a mug.
insert into interlock.picking_sessions (id, location_id, status, open_orders, ended_at)
values
  (pg_temp.id('away'), pg_temp.id('store'), 'packing', 1, null),
  (pg_temp.id('over'), interlock.online_location(), 'abandoned', 0, now()),
  (pg_temp.id('two'), interlock.online_location(), 'packing', 1, null),
  (pg_temp.id('one'), interlock.online_location(), 'packing', 2, null);
insert into interlock.picking_session_orders (picking_session_id, order_id, position)
select pg_temp.id(o.session), pg_temp.id(o.name), o.position
from (values ('one', 'a', 1), ('one', 'b', 2), ('two', 'c', 1), ('over', 'd', 1), ('away', 'e', 1)) as o (session, name, position);
insert into interlock.picking_session_items (picking_session_id, product_id, quantity_needed)
select pg_temp.id(i.session), pg_temp.id(i.product), i.quantity
from (
  values ('two', 'mug', 4), ('two', 'cup', 1), ('over', 'mug', 1), ('over', 'pot', 1), ('away', 'mug', 1), ('one', 'mug', 5), ('one', 'pot', 1)
) as i (session, product, quantity);
insert into interlock.packing_progress (picking_session_id, order_id, product_id, quantity_needed, updated_at)
select pg_temp.id(p.session), pg_temp.id(p.name), pg_temp.id(p.product), p.quantity, '2026-01-01'
from (
  values ('two', 'c', 'mug', 4), ('two', 'c', 'cup', 1), ('over', 'd', 'mug', 1), ('away', 'e', 'mug', 1),
    ('one', 'a', 'mug', 3), ('one', 'a', 'pot', 1), ('one', 'b', 'mug', 2)
) as p (session, name, product, quantity);
insert into n
select o.name || ' ' || m.name, p.id
from interlock.packing_progress p
join n o on o.id = p.order_id
join n m on m.id = p.product_id;
update interlock.settings set pick_lease = '20 minutes', claim_lease = '10 minutes';

-- Who calls. ann and bob are packers online, dora at the store; boss is staff, as is the token of nobody, whose account is gone.
create function pg_temp.act_as(p_user text)
returns void
language sql
as $$
  select
    set_config('role', case when p_user is null then 'service_role' else 'authenticated' end, true),
    set_config('request.jwt.claims', case
      when p_user is null then '{"role": "service_role"}'
      else jsonb_build_object('sub', pg_temp.id(p_user), 'role', 'authenticated', 'app_metadata', case p_user
        when 'driver' then '{"role": "driver"}'::jsonb
        when 'dora' then jsonb_build_object('role', 'packer', 'location_ids', jsonb_build_array(pg_temp.id('store')))
        when 'boss' then '{"role": "staff"}'
        when 'nobody' then '{"role": "staff"}'
        else '{"role": "packer"}'
      end)::text
    end, true)
$$;
-- An answer with names instead of ids, and instead of the end of a lease on picking that begins now.
create function pg_temp.named(p_answer text)
returns jsonb
language plpgsql
as $$
declare
  v_name record;
begin
  for v_name in select n.name, n.id from n loop
    p_answer := replace(p_answer, v_name.id::text, v_name.name);
  end loop;
  return replace(p_answer, to_jsonb(now() + interval '20 minutes') #>> '{}', 'in 20 minutes')::jsonb;
end
$$;
-- What somebody is answered: what it says, or its code and what goes with it.
create function pg_temp.told(p_user text, p_call text, variadic p_names text[] default '{}')
returns jsonb
language plpgsql
as $$
declare
  v_answer text;
  v_detail text;
  v_name text;
begin
  foreach v_name in array p_names loop
    p_call := replace(p_call, ':' || v_name, quote_literal(pg_temp.id(v_name)));
  end loop;
  perform pg_temp.act_as(p_user);
  begin
    execute 'select (' || p_call || ')::text' into v_answer;
  exception
    when others then
      get stacked diagnostics v_detail = pg_exception_detail;
      v_answer := jsonb_build_array(sqlerrm, case when v_detail ~ '^[{]' then v_detail::jsonb - 'message' end);
  end;
  reset role;
  perform set_config('request.jwt.claims', '', true);
  return pg_temp.named(v_answer);
end
$$;
-- The calls that are made often.
create function pg_temp.pick(p_user text, p_product text, p_more text)
returns jsonb
language sql
as $$ select pg_temp.told(p_user, format('public.pick_item(:one, :%s, %s)', p_product, p_more), 'one', p_product) $$;
create function pg_temp.scan(p_user text, p_order text, p_product text, p_more text default 'p_quantity => 1')
returns jsonb
language sql
as $$ select pg_temp.told(p_user, format('public.pack_item(:one, :%s, :%s, %s)', p_order, p_product, p_more), 'one', p_order, p_product) $$;
create function pg_temp.set_line(p_user text, p_line text, p_numbers text)
returns jsonb
language sql
as $$ select pg_temp.told(p_user, format('public.set_packed_quantity(%L, %s)', pg_temp.id(p_line), p_numbers)) $$;
-- All that there is, to see what has changed: baskets (needed, picked, packed, short; who picks, until when; reason, checked, basket; version)
-- and lines (needed, packed, short; whether it was written now; version).
create function pg_temp.all_there_is()
returns table (what text, is_so text)
language sql
as $$
  select s.name || ' ' || m.name, concat_ws(' ', i.quantity_needed, i.quantity_picked, i.quantity_packed, i.quantity_short,
    coalesce((select w.name from n w where w.id = i.picker_id), '-'), coalesce(extract(epoch from i.picker_until - now())::int::text, '-'),
    coalesce(i.short_reason, '-'), coalesce(i.basket, '-'), case when i.checked_at is not null then 'checked' end, 'v' || i.version)
  from interlock.picking_session_items i
  join n s on s.id = i.picking_session_id
  join n m on m.id = i.product_id
  union all
  select s.name || ' ' || o.name || ' ' || m.name, concat_ws(
    ' ', p.quantity_needed, p.quantity_packed, p.quantity_short, case when p.updated_at = now() then 'now' end, 'v' || p.version
  )
  from interlock.packing_progress p
  join n s on s.id = p.picking_session_id
  join n o on o.id = p.order_id
  join n m on m.id = p.product_id
$$;
-- The baskets of these sessions, whatever others there are.
create temp view items as select i.* from interlock.picking_session_items i where i.picking_session_id in (select n.id from n);
create temp table seen as select * from pg_temp.all_there_is();
-- What has changed since this was last asked.
create function pg_temp.changed()
returns text[]
language plpgsql
as $$
declare
  v_changed text[];
begin
  v_changed := array(
    select format('%s: %s', s.what, s.is_so) from pg_temp.all_there_is() s except select format('%s: %s', o.what, o.is_so) from seen o order by 1
  );
  delete from seen;
  insert into seen select * from pg_temp.all_there_is();
  return v_changed;
end
$$;
-- What was written of scans since this was last asked, and who did it.
create temp table heard as select coalesce(max(s.id), 0) as id from interlock.packing_scans s;
create function pg_temp.scans()
returns text[]
language plpgsql
as $$
declare
  v_scans text[];
begin
  v_scans := array(
    select concat_ws(' ', w.name, s.action, s.quantity, p.name, o.name, m.name, nullif(concat_ws(
      ' ', s.quantity_packed, s.quantity_needed, s.quantity_short, 'v' || s.version), ''))
    from interlock.packing_scans s
    left join n w on w.id = s.actor
    left join n p on p.id = s.picking_session_id
    left join n o on o.id = s.order_id
    left join n m on m.id = s.product_id
    where s.id > (select h.id from heard h)
    order by s.id
  );
  update heard set id = coalesce((select max(s.id) from interlock.packing_scans s), 0);
  return v_scans;
end
$$;
create function pg_temp.problems(p_user text, p_call text, variadic p_names text[] default '{}')
returns text[]
language sql
as $$
  select array[a ->> 0] || array(
    select format('%s %s', p.problem ->> 'pointer', p.problem ->> 'message')
    from jsonb_array_elements(a #> '{1,problems}') with ordinality as p (problem, n)
    order by p.n
  )
  from pg_temp.told(p_user, p_call, variadic p_names) a
$$;

-- Who may, before anything is said of what they ask for.
select is(pg_temp.told('driver', 'public.claim_picking(null, ''{}'')') ->> 0, 'FORBIDDEN', 'who packs nowhere is told nothing of what is wrong with a claim');
select is(pg_temp.told('driver', 'public.pick_item(null, p_short => 5000)') ->> 0, 'FORBIDDEN', 'nor with a pick');
select is(pg_temp.told('driver', 'public.set_packed_quantity(null, null, null)') ->> 0, 'FORBIDDEN', 'nor with a number');
select is(pg_temp.told('driver', 'public.update_packing_progress_atomic(null, null, null)') ->> 0, 'FORBIDDEN', 'nor with a scan');
select is(pg_temp.told('driver', 'public.release_picking(:one)', 'one') ->> 0, 'FORBIDDEN', 'nor gives anything back');
select is(pg_temp.told(null, 'public.claim_picking(:one)', 'one'), '["UNAUTHENTICATED", {}]', 'the shop is nobody who could walk to a shelf');
select is(
  array[
    pg_temp.told('dora', 'public.claim_picking(:one, array[:mug]::uuid[])', 'one', 'mug'),
    pg_temp.told('dora', 'public.release_picking(:one)', 'one'),
    pg_temp.pick('dora', 'mug', 'p_quantity => 1'),
    pg_temp.scan('dora', 'a', 'mug'),
    pg_temp.scan('dora', 'a', 'mug', 'p_action => ''short'''),
    pg_temp.told('ann', 'public.claim_picking(:store)', 'store')
  ],
  array_fill('["SESSION_NOT_FOUND", {"session_id": "one"}]'::jsonb, array[5]) || '["SESSION_NOT_FOUND", {"session_id": "store"}]'::jsonb,
  'for whoever works somewhere else there is no such session, as there is none of an id that nothing has'
);
select is(
  array[pg_temp.set_line('dora', 'a mug', '0, 1'), pg_temp.told('ann', 'public.set_packed_quantity(:one, 0, 1)', 'one'), pg_temp.set_line('ann', 'e mug', '0, 1')],
  array['["PACKING_LINE_NOT_FOUND", {"progress_id": "a mug"}]', '["PACKING_LINE_NOT_FOUND", {"progress_id": "one"}]', '["PACKING_LINE_NOT_FOUND", {"progress_id": "e mug"}]']::jsonb[],
  'nor such a line'
);

-- Claiming.
select is(
  pg_temp.problems('ann', 'public.claim_picking(:one, ''{}'')', 'one'), array['VALIDATION_FAILED', '/p_product_ids must have 1 or more products'], 'whoever names products names one'
);
select is(pg_temp.told('ann', 'public.claim_picking(:one, array[:mug, null]::uuid[])', 'one', 'mug') ->> 0, 'VALIDATION_FAILED', 'none of them null');
select is(
  pg_temp.told('ann', 'public.claim_picking(:one, array[:mug, :cup]::uuid[])', 'one', 'mug', 'cup'),
  '["PACKING_LINE_NOT_FOUND", {"session_id": "one", "product_id": "cup"}]', 'all of them of this session'
);
select is(pg_temp.changed(), '{}', 'else nobody has anything');
select is(
  pg_temp.told('ann', 'public.claim_picking(:one, array[:mug]::uuid[])', 'one', 'mug'),
  '{"success": true, "session_id": "one", "product_ids": ["mug"], "picker_until": "in 20 minutes"}', 'ann has the mugs'
);
select is(pg_temp.changed(), array['one mug: 5 0 0 0 ann 1200 - - v1'], 'of one, and nothing else');
select is(
  pg_temp.told('bob', 'public.claim_picking(:one)', 'one'),
  '{"success": true, "session_id": "one", "product_ids": ["pot"], "picker_until": "in 20 minutes"}', 'bob has what is left'
);
select is(pg_temp.changed(), array['one pot: 1 0 0 0 bob 1200 - - v1'], 'which is the pot');
select is(pg_temp.told('boss', 'public.claim_picking(:one)', 'one'), '["NOTHING_TO_PICK", {"session_id": "one"}]', 'then nothing is');
update items
set picker_until = now() + interval '20 minutes', picker_id = pg_temp.id('ann')
where picking_session_id = pg_temp.id('two');
select is(
  pg_temp.told('boss', 'public.claim_picking(:one, array[:pot, :mug]::uuid[])', 'one', 'pot', 'mug'),
  '["PICK_CLAIMED", {"session_id": "one", "items": [{"product_id": "mug", "picker_until": "in 20 minutes"}, {"product_id": "pot", "picker_until": "in 20 minutes"}]}]',
  'all that somebody has is told, in its order, and nothing of other sessions'
);
update items set picker_until = now() + interval '1 minute' where picker_id is not null and picking_session_id = pg_temp.id('one');
select pg_temp.changed();
select is(pg_temp.told('ann', 'public.claim_picking(:one)', 'one') -> 'product_ids', '["mug"]', 'ann has hers longer');
select is(pg_temp.told('bob', 'public.claim_picking(:one, array[:pot]::uuid[])', 'one', 'pot') -> 'product_ids', '["pot"]', 'bob his');
select is(
  pg_temp.changed(),
  array['one mug: 5 0 0 0 ann 1200 - - v1', 'one pot: 1 0 0 0 bob 1200 - - v1'], 'from now on'
);
update items set picker_until = now() where picker_id = pg_temp.id('ann') and picking_session_id = pg_temp.id('one');
select is(pg_temp.told('boss', 'public.claim_picking(:one)', 'one') -> 'product_ids', '["mug"]', 'a lease that ends is over');
update items set picker_until = now() where picker_id = pg_temp.id('boss');
select is(
  pg_temp.told('bob', 'public.claim_picking(:one, array[:pot, :mug]::uuid[])', 'one', 'pot', 'mug') -> 'product_ids', '["mug", "pot"]', 'also for whoever names what they want'
);
update items
set picker_id = null, picker_until = null, quantity_picked = 2, quantity_short = 3
where (picking_session_id, product_id) = (pg_temp.id('one'), pg_temp.id('mug'));
select is(pg_temp.told('ann', 'public.claim_picking(:one)', 'one') ->> 0, 'NOTHING_TO_PICK', 'what is picked or not there is claimed by nobody who does not name it');
select is(pg_temp.told('ann', 'public.claim_picking(:one, array[:mug]::uuid[])', 'one', 'mug') -> 'product_ids', '["mug"]', 'but by who does');
update items
set picker_id = null, picker_until = null, quantity_short = 2
where (picking_session_id, product_id) = (pg_temp.id('one'), pg_temp.id('mug'));
select is(pg_temp.told('ann', 'public.claim_picking(:one)', 'one') -> 'product_ids', '["mug"]', 'what is not all picked is claimed');
select is(
  pg_temp.told('bob', 'public.claim_picking(:over, array[:mug]::uuid[])', 'over', 'mug'),
  '["SESSION_STATE_CONFLICT", {"session_id": "over", "status": "abandoned"}]', 'nothing of a session that has ended'
);
update items set quantity_picked = 1 where picking_session_id = pg_temp.id('over');
select is(pg_temp.told('bob', 'public.claim_picking(:over)', 'over') ->> 0, 'SESSION_STATE_CONFLICT', 'also if all of it was picked');
update items set quantity_picked = 0, quantity_short = 0 where quantity_picked > 0;

-- Giving back.
update items
set picker_id = pg_temp.id(case when picking_session_id = pg_temp.id('one') and product_id = pg_temp.id('pot') then 'bob' else 'ann' end),
    picker_until = now() + interval '1 minute';
select pg_temp.changed();
select is(
  pg_temp.told('ann', 'public.release_picking(:one)', 'one'), '{"success": true, "session_id": "one", "product_ids": ["mug"]}', 'ann gives back what she has'
);
select is(pg_temp.changed(), array['one mug: 5 0 0 0 - - - - v1'], 'and nothing else');
select is(pg_temp.told('ann', 'public.claim_picking(:one)', 'one') -> 'product_ids', '["mug"]', 'she claims it again');
select is(
  pg_temp.told('ann', 'public.release_picking(:one, array[:pot]::uuid[])', 'one', 'pot'), '{"success": true, "session_id": "one", "product_ids": []}', 'what bob has she does not give back'
);
update items set picker_id = pg_temp.id('ann') where picker_id = pg_temp.id('bob');
select pg_temp.changed();
select is(
  pg_temp.told('ann', 'public.release_picking(:one, array[:pot]::uuid[])', 'one', 'pot') -> 'product_ids', '["pot"]', 'of what she has she gives back what she names'
);
select is(pg_temp.changed(), array['one pot: 1 0 0 0 - - - - v1'], 'that one alone');
update items set picker_id = pg_temp.id('ann'), picker_until = now() + interval '1 minute' where picking_session_id = pg_temp.id('one');
select is(pg_temp.told('ann', 'public.release_picking(:one)', 'one') -> 'product_ids', '["mug", "pot"]', 'or all, in its order');
select is(pg_temp.told('ann', 'public.release_picking(:one)', 'one') -> 'product_ids', '[]', 'once');
update items set picker_id = null, picker_until = null;
select pg_temp.changed();

-- Picking.
select is(
  pg_temp.problems('ann', 'public.pick_item(null, p_short => -1001, p_reason => repeat(''x'', 201), p_basket => repeat(''x'', 201), p_quantity => 1001)'),
  array[
    'VALIDATION_FAILED', '/p_product_id is required, or p_barcode, not both', '/p_quantity must be -1000 to 1000', '/p_session_id is required',
    '/p_short must be -1000 to 1000', '/p_reason must have 1 to 200 characters', '/p_basket must have 1 to 200 characters'
  ],
  'all that is wrong with a pick is told'
);
select is(
  pg_temp.problems('ann', 'public.pick_item(:one, :mug, p_quantity => 0, p_short => 1001)', 'one', 'mug'),
  array['VALIDATION_FAILED', '/p_short must be -1000 to 1000'], 'as too many that are not there'
);
select is(
  pg_temp.problems('ann', 'public.pick_item(:one, :mug, p_quantity => 0, p_reason => '''')', 'one', 'mug'),
  array['VALIDATION_FAILED', '/p_quantity must not be 0 without p_short', '/p_reason must have 1 to 200 characters'], 'or nothing at all'
);
select is(
  array[
    pg_temp.pick('ann', 'cup', 'p_quantity => 1'), pg_temp.pick('ann', 'mug', 'p_quantity => 1000'), pg_temp.pick('ann', 'mug', 'p_short => 1000'),
    pg_temp.pick('ann', 'mug', 'p_quantity => -1000'), pg_temp.pick('ann', 'mug', 'p_short => -1000')
  ],
  array[
    '["WRONG_ITEM", {"session_id": "one", "product_id": "cup"}]',
    '["PICK_EXCEEDS_NEEDED", {"session_id": "one", "product_id": "mug", "quantity_needed": 5, "quantity_picked": 0, "quantity_packed": 0, "quantity_short": 0, "available": 0, "version": 1}]',
    '["PICK_EXCEEDS_NEEDED", {"session_id": "one", "product_id": "mug", "quantity_needed": 5, "quantity_picked": 0, "quantity_packed": 0, "quantity_short": 0, "available": 0, "version": 1}]',
    '["NOTHING_PICKED", {"session_id": "one", "product_id": "mug", "quantity_needed": 5, "quantity_picked": 0, "quantity_packed": 0, "quantity_short": 0, "available": 0, "version": 1}]',
    '["NOTHING_PICKED", {"session_id": "one", "product_id": "mug", "quantity_needed": 5, "quantity_picked": 0, "quantity_packed": 0, "quantity_short": 0, "available": 0, "version": 1}]'
  ]::jsonb[],
  'what is refused is refused with what there is'
);
select is(pg_temp.changed(), '{}', 'and changes nothing');
select is(pg_temp.scans(), '{}', 'nor is it written down');
select is(
  pg_temp.told('ann', format('public.pick_item(:one, p_barcode => ''tap72-mug'', p_short => 0, p_basket => %L, p_idempotency_key => ''tap72-1'')', repeat('B', 200)), 'one'),
  '{"success": true, "item": {"session_id": "one", "product_id": "mug", "quantity_needed": 5, "quantity_picked": 1, "quantity_packed": 0, "quantity_short": 0, "available": 1, "version": 2}}',
  'a scan picks one'
);
select is(pg_temp.changed(), array[format('one mug: 5 1 0 0 - - - %s v2', repeat('B', 200))], 'of this product in this session');
select is(
  array(
    select pg_temp.told('ann', format('public.pick_item(%s, p_idempotency_key => ''tap72-1'')', format(c.call, repeat('B', 200))), 'one', 'two', 'mug', 'pot') ->> 0
    from (
      values (1, ':two, :mug, p_basket => %L'), (2, ':one, :pot, p_basket => %L'), (3, ':one, :mug, p_quantity => 2, p_basket => %L'),
        (4, ':one, :mug, p_quantity => 1, p_short => 1, p_basket => %L'), (5, ':one, :mug, p_reason => ''x'', p_basket => %L'), (6, ':one, :mug')
    ) c (n, call)
    order by c.n
  ),
  array_fill('IDEMPOTENCY_KEY_REUSED'::text, array[6]), 'the key of a pick is for that pick alone'
);
select is(pg_temp.scans(), array['ann pick 1 one mug'], 'which was one');
update items set checked_at = now() where picking_session_id = pg_temp.id('one');
select pg_temp.changed();
select is(
  array[
    pg_temp.pick('ann', 'mug', 'p_quantity => 1, p_reason => ''not of a pick'', p_basket => ''B2''') #>> '{item,quantity_picked}',
    pg_temp.changed()::text
  ],
  array['2', '{"one mug: 5 2 0 0 - - - B2 checked v3"}'], 'a reason goes with what is not there; another basket is another basket'
);
select is(
  array[
    pg_temp.told('ann', format('public.pick_item(:one, :mug, p_short => 2, p_reason => %L)', repeat('r', 200)), 'one', 'mug') #>> '{item,quantity_short}',
    pg_temp.changed()::text
  ],
  array['2', format('{"one mug: 5 2 0 2 - - %s B2 v4"}', repeat('r', 200))], 'what is not there is nothing picked, and to be looked after again'
);
select is(
  array[pg_temp.pick('ann', 'mug', 'p_short => 1, p_reason => ''dust''') ->> 'success', pg_temp.changed()::text],
  array['true', '{"one mug: 5 2 0 3 - - dust B2 v5"}'], 'it adds up, and the last reason stands'
);
update items set checked_at = now() where picking_session_id = pg_temp.id('one');
select pg_temp.changed();
select is(
  array[pg_temp.pick('ann', 'mug', 'p_short => -1, p_reason => ''it was behind''') ->> 'success', pg_temp.changed()::text],
  array['true', '{"one mug: 5 3 0 2 - - dust B2 checked v6"}'], 'one that is found is picked, and no other reason'
);
select is(
  array[pg_temp.pick('ann', 'mug', 'p_short => -1, p_quantity => 0') ->> 'success', pg_temp.pick('ann', 'mug', 'p_short => 1') ->> 'success', pg_temp.changed()::text],
  array['true', 'true', '{"one mug: 5 3 0 2 - - dust B2 v8"}'], 'or not; without a reason the last one stands'
);
select is(
  array[pg_temp.pick('ann', 'mug', 'p_short => 1') ->> 0, pg_temp.pick('ann', 'mug', 'p_quantity => 1') ->> 0, pg_temp.pick('ann', 'mug', 'p_quantity => 2, p_short => -1') ->> 0,
    pg_temp.pick('ann', 'mug', 'p_quantity => 1, p_short => -3') ->> 0, pg_temp.pick('ann', 'mug', 'p_quantity => 0, p_short => -3') ->> 0],
  array['PICK_EXCEEDS_NEEDED', 'PICK_EXCEEDS_NEEDED', 'PICK_EXCEEDS_NEEDED', 'NOTHING_PICKED', 'NOTHING_PICKED'], 'both together are what is needed, and no more'
);
select is(
  array[pg_temp.pick('ann', 'mug', 'p_quantity => -1') ->> 'success', pg_temp.changed()::text],
  array['true', '{"one mug: 5 2 0 2 - - dust B2 v9"}'], 'what goes back goes back'
);
select is(
  pg_temp.scans(),
  array[
    'ann pick 1 one mug', 'ann short_pick 2 one mug', 'ann short_pick 1 one mug', 'ann pick 1 one mug', 'ann short_pick -1 one mug',
    'ann short_pick -1 one mug', 'ann short_pick 1 one mug', 'ann put_back -1 one mug'
  ],
  'each of it is written down'
);
select is(
  array(
    select pg_temp.named(e.payload::text) - 'reason' || jsonb_build_object('reason', left(e.payload ->> 'reason', 9))
    from interlock.events e
    where e.type = 'stock.short_pick' and e.subject = pg_temp.id('mug')::text
    order by e.id
  ),
  array(
    select format('{"session_id": "one", "product_id": "mug", "location_id": "%s", "quantity": %s, "quantity_short": %s, "reason": %s}',
      interlock.online_location(), c.quantity, c.short, coalesce(to_json(c.reason)::text, 'null'))::jsonb
    from (values (1, 2, 2, 'rrrrrrrrr'), (2, 1, 3, 'dust'), (3, -1, 2, 'it was be'), (4, -1, 1, null), (5, 1, 2, null)) c (n, quantity, short, reason)
    order by c.n
  ),
  'and what is not there is told, with how many there are now'
);

-- Whose it is.
update items
set picker_id = pg_temp.id('bob'), picker_until = now() + interval '20 minutes'
where (picking_session_id, product_id) = (pg_temp.id('one'), pg_temp.id('mug'));
select pg_temp.changed();
select is(
  pg_temp.pick('ann', 'mug', 'p_quantity => 1'),
  '["PICK_CLAIMED", {"session_id": "one", "items": [{"product_id": "mug", "picker_until": "in 20 minutes"}]}]', 'what bob has ann does not pick'
);
update items set picker_until = now() + interval '1 minute' where picker_id = pg_temp.id('bob');
select is(pg_temp.pick('ann', 'mug', 'p_quantity => -1') ->> 'success', 'true', 'but puts back');
select is(
  array[pg_temp.pick('ann', 'mug', 'p_quantity => 0, p_short => -1') ->> 'success', pg_temp.pick('ann', 'mug', 'p_short => 1') ->> 'success'], array['true', 'true'],
  'and says what is on the shelf'
);
select is(pg_temp.pick(null, 'mug', 'p_quantity => 1') ->> 'success', 'true', 'the shop does both');
select is(pg_temp.changed(), array['one mug: 5 2 0 2 bob 60 dust B2 v13'], 'which does not make it bob''s for longer');
select is(pg_temp.pick('bob', 'mug', 'p_quantity => 1') ->> 'success', 'true', 'as when he picks');
select is(pg_temp.changed(), array['one mug: 5 3 0 2 bob 1200 dust B2 v14'], 'then it is');
select is(pg_temp.pick('bob', 'mug', 'p_quantity => -1') ->> 'success', 'true', 'he puts it back');
update items set picker_until = now() where picker_id = pg_temp.id('bob');
select is(pg_temp.pick('ann', 'mug', 'p_quantity => 1') ->> 'success', 'true', 'when his lease ends it is anybody''s');
select is(pg_temp.scans(), array[
    'ann put_back -1 one mug', 'ann short_pick -1 one mug', 'ann short_pick 1 one mug', 'pick 1 one mug', 'bob pick 1 one mug', 'bob put_back -1 one mug', 'ann pick 1 one mug'], 'it is written who did it');
update items
set quantity_needed = 2
where (picking_session_id, product_id) = (pg_temp.id('one'), pg_temp.id('mug'));
select is(pg_temp.pick('ann', 'mug', 'p_quantity => -1') ->> 'success', 'true', 'what is needed no more goes back, though more than that is picked or short still');
select is(pg_temp.pick('ann', 'mug', 'p_quantity => 0, p_short => -1') ->> 'success', 'true', 'or is short no more');
update items
set quantity_needed = 5
where (picking_session_id, product_id) = (pg_temp.id('one'), pg_temp.id('mug'));
update items set quantity_picked = 1, quantity_short = 1 where picking_session_id = pg_temp.id('over');
select is(
  array(
    select pg_temp.told('ann', format('public.pick_item(:over, :mug, %s)', c.call), 'over', 'mug') ->> 0
    from (values (1, 'p_quantity => 1'), (2, 'p_short => 1'), (3, 'p_quantity => 0, p_short => -1'), (4, 'p_quantity => -1, p_short => 1')) c (n, call)
    order by c.n
  ),
  array_fill('SESSION_STATE_CONFLICT'::text, array[4]), 'of a session that has ended nothing is picked, nor found, nor not found'
);
select is(pg_temp.told('ann', 'public.pick_item(:over, :mug, p_quantity => -1)', 'over', 'mug') ->> 'success', 'true', 'what was picked goes back');
update items set quantity_picked = 0, quantity_short = 0, picker_id = null, picker_until = null;
select pg_temp.changed(), pg_temp.scans();

-- Packing. In each session all is picked, but for a mug of one.
update items
set quantity_picked = case when picking_session_id = pg_temp.id('one') and product_id = pg_temp.id('mug') then 4 else quantity_needed end,
    short_reason = null, basket = null, version = 1;
select pg_temp.changed();
select is(
  array[
    pg_temp.problems('ann', 'public.update_packing_progress_atomic(null, :a, :mug)', 'a', 'mug')::text,
    pg_temp.problems('ann', 'public.update_packing_progress_atomic(:one, null, :mug)', 'one', 'mug')::text,
    pg_temp.problems('ann', 'public.update_packing_progress_atomic(:one, :a, null)', 'one', 'a')::text,
    pg_temp.problems('ann', 'public.update_packing_progress_atomic(null, null, null)')::text
  ],
  array[
    '{VALIDATION_FAILED,"/p_session_id is required"}', '{VALIDATION_FAILED,"/p_order_id is required"}', '{VALIDATION_FAILED,"/p_product_id is required"}',
    '{VALIDATION_FAILED,"/p_order_id is required","/p_product_id is required","/p_session_id is required"}'
  ],
  'a scan says which session, order and product'
);
select is(
  array[
    pg_temp.scan('ann', 'c', 'mug'), pg_temp.scan('ann', 'a', 'cup'), pg_temp.scan('ann', 'b', 'pot'),
    pg_temp.scan('ann', 'b', 'pot', 'p_action => ''short'''),
    pg_temp.told('ann', 'public.pack_item(:over, :d, :mug)', 'over', 'd', 'mug'),
    pg_temp.told('ann', 'public.pack_item(:over, :d, :mug, p_action => ''short'')', 'over', 'd', 'mug'),
    pg_temp.told('ann', 'public.update_packing_progress_atomic(:one, :a, :mug, :store)', 'one', 'a', 'mug', 'store')
  ],
  array[
    '["PACKING_LINE_NOT_FOUND", {"session_id": "one", "order_id": "c", "product_id": "mug"}]',
    '["PACKING_LINE_NOT_FOUND", {"session_id": "one", "order_id": "a", "product_id": "cup"}]',
    '["PACKING_LINE_NOT_FOUND", {"session_id": "one", "order_id": "b", "product_id": "pot"}]',
    '["PACKING_LINE_NOT_FOUND", {"session_id": "one", "order_id": "b", "product_id": "pot"}]',
    '["SESSION_STATE_CONFLICT", {"session_id": "over", "status": "abandoned", "order_id": "d", "order_status": "open"}]',
    '["SESSION_STATE_CONFLICT", {"session_id": "over", "status": "abandoned", "order_id": "d", "order_status": "open"}]',
    '["SESSION_NOT_FOUND", {"session_id": "one"}]'
  ]::jsonb[],
  'of a line that there is, in a session that is being packed, where it is said to be'
);
select is(pg_temp.told('nobody', 'public.update_packing_progress_atomic(:one, :a, :mug)', 'one', 'a', 'mug') ->> 0, 'UNAUTHENTICATED', 'staff whose account is gone packs nothing');
select is(
  pg_temp.told('nobody', 'public.update_packing_progress_atomic(null, null, null)') ->> 0, 'UNAUTHENTICATED', 'nor is it told what is wrong'
);
select is(pg_temp.changed(), '{}', 'none of it is written');
select is(
  pg_temp.told('ann', 'public.update_packing_progress_atomic(:one, :a, :mug)', 'one', 'a', 'mug'),
  '{"success": true, "progress_id": "a mug", "order_id": "a", "product_id": "mug", "quantity_packed": 1, "quantity_needed": 3, "is_item_complete": false, "version": 2}',
  'a mug for a'
);
select is(pg_temp.changed(), array['one a mug: 3 1 0 now v2', 'one mug: 5 4 1 0 - - - - v2'], 'out of its basket, and nothing else');
select is(
  pg_temp.told('boss', format('public.update_packing_progress_atomic(:one, :a, :mug, %L)', interlock.online_location()), 'one', 'a', 'mug') ->> 'quantity_packed',
  '2', 'staff packs, where it says that it is'
);
select is(pg_temp.told('ann', 'public.pack_item(:one, :a, p_barcode => ''tap72-mug'', p_action => ''unpack'')', 'one', 'a') ->> 'quantity_packed', '1', 'one comes out');
select set_config('role', 'service_role', true), set_config('request.jwt.claims', '{"role": "service_role", "app_metadata": {"role": "staff"}}', true);
select is(
  public.update_packing_progress_atomic(pg_temp.id('one'), pg_temp.id('a'), pg_temp.id('mug')) ->> 'quantity_packed', '2', 'the shop packs, whatever its token has'
);
select set_config('request.jwt.claims', '', true), set_config('request.jwt.claim.sub', pg_temp.id('bob')::text, true);
select is(
  public.update_packing_progress_atomic(pg_temp.id('one'), pg_temp.id('a'), pg_temp.id('mug')) ->> 'is_item_complete', 'true', 'also for somebody of whom the platform tells in another way'
);
select set_config('request.jwt.claim.sub', '', true);
reset role;
select is(pg_temp.changed(), array['one a mug: 3 3 0 now v6', 'one mug: 5 4 3 0 - - - - v6'], 'each changes one line and one basket');
select is(
  pg_temp.scans(),
  array[
    'ann pack 1 one a mug 1 3 0 v2', 'boss pack 1 one a mug 2 3 0 v3', 'ann unpack -1 one a mug 1 3 0 v4', 'pack 1 one a mug 2 3 0 v5', 'bob pack 1 one a mug 3 3 0 v6'
  ],
  'and is written down, with who did it and what came of it'
);
select is(
  array[
    pg_temp.scan('ann', 'a', 'mug'), pg_temp.scan('ann', 'b', 'mug', 'p_quantity => 2'), pg_temp.scan('ann', 'b', 'mug', 'p_action => ''unpack'''),
    pg_temp.scan('ann', 'a', 'mug', 'p_action => ''unpack'', p_quantity => 4'), pg_temp.scan('ann', 'b', 'mug', 'p_quantity => 3')
  ],
  array(
    select format(
      '["%s", {"session_id": "one", "order_id": "%s", "product_id": "mug", "quantity_packed": %s, "quantity_needed": %s, "quantity_picked": 4, "available": 1}]',
      c.code, c.name, c.packed, c.needed
    )::jsonb
    from (
      values (1, 'ALREADY_FULLY_PACKED', 'a', 3, 3), (2, 'NO_UNITS_TO_PACK', 'b', 0, 2), (3, 'NOTHING_PACKED', 'b', 0, 2), (4, 'NOTHING_PACKED', 'a', 3, 3),
        (5, 'ALREADY_FULLY_PACKED', 'b', 0, 2)
    ) c (n, code, name, packed, needed)
    order by c.n
  ),
  'what is refused is refused with what there is'
);
select is(
  pg_temp.scan('ann', 'a', 'pot', 'p_action => ''unpack'''),
  '["NOTHING_PACKED", {"session_id": "one", "order_id": "a", "product_id": "pot", "quantity_packed": 0, "quantity_needed": 1, "quantity_picked": 1, "available": 1}]',
  'of its own product'
);
select is(pg_temp.changed(), '{}', 'and changes nothing');
select is(
  array(
    select m.payload ->> 'change'
    from realtime.messages m
    where m.event = 'packing.progress' and m.topic = interlock.topic_of_shop('packing:' || pg_temp.id('one'))
    order by (m.payload ->> 'version')::int
  ),
  array['1', '1', '-1', '1', '1'], 'the others hear of each, and of no refusal'
);

-- What there will not be.
select is(
  array[pg_temp.scan('ann', 'b', 'mug', 'p_action => ''short'', p_quantity => 3') ->> 0, pg_temp.scan('ann', 'a', 'mug', 'p_action => ''short''') ->> 0],
  array['ALREADY_FULLY_PACKED', 'ALREADY_FULLY_PACKED'], 'no more is short than is to be packed'
);
select is(
  pg_temp.scan('ann', 'b', 'mug', 'p_action => ''short'''),
  '{
    "success": true, "progress_id": "b mug", "session_id": "one", "order_id": "b", "product_id": "mug", "quantity_packed": 0, "quantity_needed": 2, "quantity_short": 1,
    "is_item_complete": false, "version": 2, "order": {"units_packed": 0, "units_needed": 2, "units_short": 1, "is_order_complete": false},
    "basket": {"quantity_picked": 4, "quantity_packed": 3, "available": 1, "version": 6}, "session": {"units_packed": 3, "units_picked": 5, "units_needed": 6}
  }',
  'one of b is'
);
select is(pg_temp.changed(), array['one b mug: 2 0 1 now v2'], 'of its line alone');
select is(pg_temp.scan('boss', 'b', 'mug', 'p_action => ''short''') ->> 'quantity_short', '2', 'then another one');
select is(pg_temp.scan('ann', 'b', 'mug') ->> 'quantity_short', '1', 'what is packed after all is short no more');
select is(pg_temp.scan('ann', 'b', 'mug', 'p_action => ''short''') ->> 0, 'ALREADY_FULLY_PACKED', 'then nothing is left to be short');
select is(pg_temp.scan('ann', 'b', 'mug', 'p_action => ''unpack''') ->> 'quantity_short', '1', 'what comes out is not short');
select is(pg_temp.changed(), array['one b mug: 2 0 1 now v5', 'one mug: 5 4 3 0 - - - - v8'], 'but to be packed');
select is(pg_temp.scan('ann', 'b', 'mug') ->> 'quantity_short', '1', 'as it is, and what is short stays so');
select is(
  pg_temp.scans(),
  array[
    'ann short 1 one b mug 0 2 1 v2', 'boss short 1 one b mug 0 2 2 v3', 'ann pack 1 one b mug 1 2 1 v4', 'ann unpack -1 one b mug 0 2 1 v5', 'ann pack 1 one b mug 1 2 1 v6'
  ],
  'each of it is written down'
);
select is(
  array(
    select m.payload ->> 'change'
    from realtime.messages m
    where m.event = 'packing.progress' and m.payload ->> 'order_id' = pg_temp.id('b')::text
    order by (m.payload ->> 'version')::int
  ),
  array['0', '0', '1', '-1', '1'], 'and told, with what of it goes into the box'
);
select pg_temp.changed();

-- Setting a number.
select is(
  array[
    pg_temp.problems('ann', 'public.set_packed_quantity(null, null, null)')::text, pg_temp.problems('ann', 'public.set_packed_quantity(null, -1, 1000000001)')::text,
    pg_temp.problems('ann', 'public.set_packed_quantity(null, 1000000001, -1)')::text, pg_temp.problems('ann', 'public.set_packed_quantity(null, 0, 1000000000)')::text,
    pg_temp.problems('ann', 'public.set_packed_quantity(null, 1000000000, 0)')::text
  ],
  array_fill('{VALIDATION_FAILED,"/p_expected must be 0 to 1000000000","/p_new must be 0 to 1000000000"}'::text, array[3])
    || array_fill('{VALIDATION_FAILED,"/p_progress_id is required"}'::text, array[2]),
  'numbers of which each may be'
);
select is(
  pg_temp.set_line('ann', 'a mug', '3, 1'),
  '{
    "success": true, "progress_id": "a mug", "session_id": "one", "order_id": "a", "product_id": "mug", "quantity_packed": 1, "quantity_needed": 3, "quantity_short": 0,
    "is_item_complete": false, "version": 7, "order": {"units_packed": 1, "units_needed": 4, "units_short": 0, "is_order_complete": false},
    "basket": {"quantity_picked": 4, "quantity_packed": 2, "available": 2, "version": 10}, "session": {"units_packed": 2, "units_picked": 5, "units_needed": 6}
  }',
  'a number is set to a lower one'
);
select is(pg_temp.set_line('ann', 'a mug', '1, 3') ->> 'quantity_packed', '3', 'or a higher one');
select is(pg_temp.changed(), array['one a mug: 3 3 0 now v8', 'one mug: 5 4 4 0 - - - - v11'], 'of one line and its basket');
select is(pg_temp.set_line('ann', 'a mug', '3, 3') ->> 'success', 'true', 'or to the one that it is');
select is(current_setting('response.status', true), null, 'all of which is a success');
create temp table conflict as
select a - 'details' as body, (a ->> 'details')::jsonb as details
from (
  select pg_temp.set_line('ann', 'a mug', c.numbers) as a
  from (values (1, '2, 3'), (2, '4, 3'), (3, '2, 2'), (4, '4, 4')) c (n, numbers)
) c;
select is(current_setting('response.status', true), '409', 'to whoever has read another number it is none');
select is(
  (select jsonb_agg(distinct c.body) from conflict c),
  jsonb_build_array(pg_temp.named(interlock.error_body('PACKING_CONFLICT', '{}')::text) - 'details'), 'but a conflict'
);
select is(
  (select jsonb_agg(distinct c.details - 'message') from conflict c),
  '[{
    "progress_id": "a mug", "session_id": "one", "order_id": "a", "product_id": "mug", "quantity_packed": 3, "quantity_needed": 3, "quantity_short": 0,
    "is_item_complete": true, "version": 8, "order": {"units_packed": 3, "units_needed": 4, "units_short": 0, "is_order_complete": false},
    "basket": {"quantity_picked": 4, "quantity_packed": 4, "available": 0, "version": 11}, "session": {"units_packed": 4, "units_picked": 5, "units_needed": 6}
  }]',
  'with the line as it is'
);
select is(pg_temp.changed(), '{}', 'as which it stays');
select is(pg_temp.scans(), array['ann unpack -2 one a mug 1 3 0 v7', 'ann pack 2 one a mug 3 3 0 v8'], 'what is set is written down as what is packed or comes out');
select results_eq(
  $$
    select s.name, p.name, count(*)::int
    from interlock.packing_conflicts c
    left join n s on s.id = c.picking_session_id
    left join n p on p.id = c.product_id
    where c.product_id = pg_temp.id('mug') or c.picking_session_id = pg_temp.id('one')
    group by 1, 2
  $$,
  $$ values ('one', 'mug', 4) $$, 'and conflicts as what they are'
);
select is(pg_temp.set_line('ann', 'a mug', '3, 4') ->> 0, 'ALREADY_FULLY_PACKED', 'what is not possible is no conflict');

-- One's turn is at a basket: of this session and this product.
create function pg_temp.turns()
returns bigint
language sql
as $$ select count(*) from pg_locks l where l.locktype = 'advisory' and l.pid = pg_backend_pid() and l.mode = 'ExclusiveLock' and l.granted $$;
create temp table turns as select pg_temp.turns() as n;
select is(pg_temp.scan('ann', 'b', 'mug', 'p_action => ''unpack''') ->> 'success', 'true', 'a mug of b comes out');
select is(pg_temp.turns(), (select t.n from turns t), 'that is a turn that was had already');
select is(pg_temp.scan('ann', 'a', 'pot') ->> 'success', 'true', 'a pot is packed');
select is(pg_temp.scan('ann', 'a', 'pot', 'p_action => ''unpack''') ->> 'quantity_packed', '0', 'and comes out again, the last one of its basket');
select is(pg_temp.turns() - (select t.n from turns t), 1::bigint, 'that is another one');
select is(pg_temp.told('ann', 'public.pack_item(:two, :c, :mug)', 'two', 'c', 'mug') ->> 'success', 'true', 'a mug of another session');
select is(pg_temp.turns() - (select t.n from turns t), 2::bigint, 'and another one');

-- What of it there will not be is written down with what is in the box, as many as they are.
select pg_temp.scans();
select is(
  pg_temp.told('ann', 'public.pack_item(:two, :c, :mug, p_action => ''short'', p_quantity => 3)', 'two', 'c', 'mug') ->> 'quantity_short', '3', 'the other three of them are not there'
);
select is(pg_temp.scans(), array['ann short 3 two c mug 1 4 3 v3'], 'as it is written');
select is(
  pg_temp.told('ann', 'public.pack_item(:two, :c, :mug)', 'two', 'c', 'mug') ->> 'quantity_short', '2', 'one is found and packed, the other two are not there still'
);

select * from finish();
rollback;

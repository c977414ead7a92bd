-- A platform's own server opens, lists, changes and renames shops with the service key; nobody else does.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
set local lock_timeout = '10s';
select plan(42);

-- What is answered, or refused: state, code and details.
create function pg_temp.answer(p_call text)
returns jsonb
language plpgsql
as $$
declare
  v_answer jsonb;
  v_detail text;
begin
  execute 'select public.' || p_call into v_answer;
  return v_answer;
exception
  when others then
    get stacked diagnostics v_detail = pg_exception_detail;
    return jsonb_build_object('code', sqlstate || ' ' || sqlerrm) || (coalesce(nullif(v_detail, ''), '{}')::jsonb - 'message');
end
$$;
create function pg_temp.be(p_role text, p_shop text default null, p_claims jsonb default '{}')
returns void
language plpgsql
as $$
begin
  perform set_config('interlock.shop', '', true);
  perform set_config('request.headers', case when p_shop is null then '{}' else jsonb_build_object('x-shop', p_shop) end::text, true);
  perform set_config('request.jwt.claims', jsonb_build_object('role', p_role, 'app_metadata', p_claims)::text, true);
  perform set_config('role', p_role, true);
end
$$;
create function pg_temp.problems(p_call text)
returns text
language sql
as $$
  select a ->> 'code' || string_agg(p ->> 'pointer', '') from pg_temp.answer(p_call) a cross join jsonb_array_elements(a -> 'problems') p group by a
$$;

-- Where there is one shop.
select pg_temp.be('service_role');
select is(pg_temp.answer('list_shops()') -> 'shops' #> '{0}' ->> 'handle', 'shop', 'one shop is listed where there is one');
select is(pg_temp.answer($$add_shop('tap-berlin')$$), '{"code": "PT409 ONE_SHOP"}', 'no other is added');
select is(pg_temp.answer($$set_shop(1, 'closed')$$), '{"code": "PT409 ONE_SHOP"}', 'and what would have no effect is refused');
set local role none;

update interlock.settings set deliver_url = 'http://tap.example.com/functions/v1/deliver';
insert into interlock.deliver_secrets (hash) values (sha256('tap')), (sha256('tap, too'));
select interlock.serve_shops();
alter table interlock.shops alter id restart with 2;
select pg_temp.be('service_role');
select is(pg_temp.answer($$add_shop('tap-berlin')$$), '{"success": true, "shop_id": 2}', 'a shop is added');
select is(pg_temp.answer($$add_shop('tap-berlin')$$), '{"code": "PT409 SHOP_HANDLE_TAKEN", "shop": 2}', 'once, which says which one it is');
select is(pg_temp.problems(format('add_shop(%L)', h)), 'PT400 VALIDATION_FAILED/p_handle', coalesce(to_json(h)::text, 'nothing') || ' is no handle')
from unnest(array[null, '', '7', '7up', '-x', 'Berlin', 'ber lin', 'a.b', 'a_b', 'bär', E'berlin\n', repeat('a', 64)]) h;
select is(pg_temp.answer(format('add_shop(%L)', h)) ->> 'success', 'true', left(h, 20) || ' is one') from unnest(array['a', 'a-', 'a7', repeat('a', 63)]) h;
select pg_temp.be('service_role', 'nowhere');
select is(pg_temp.answer($$add_shop('tap-paris')$$) -> 'success', 'true', 'whatever shop the request says');

select is(
  (select array_agg(s ->> 'handle') from jsonb_array_elements(pg_temp.answer('list_shops()') -> 'shops') s),
  array['shop', 'tap-berlin', 'a', 'a-', 'a7', repeat('a', 63), 'tap-paris'], 'all are listed, by their ids'
);
select is(
  (pg_temp.answer('list_shops(p_limit => 1)') #> '{shops,0}') - 'created_at',
  '{"id": 1, "handle": "shop", "state": "open", "requests_at_once": null}', 'with what is said of them'
);
select is(
  (select array_agg((s -> 'id')::int) from jsonb_array_elements(pg_temp.answer(format('list_shops(%s, 1)', a)) -> 'shops') s), expected,
  'page by page'
)
from (values (1, array[2]), (2, array[(select max(s.id) from interlock.shops s where s.handle = 'a')]), (1000000, null)) v (a, expected);
select is(pg_temp.problems(format('list_shops(p_limit => %s)', l)), 'PT400 VALIDATION_FAILED/p_limit', l || ' are no page')
from unnest(array['null', '0', '1001']) l;

-- What it begins with.
set local role none;
select set_config('interlock.shop', '', true);
create temporary table begin_with on commit drop as
select shop, r
from unnest(array['1', 'tap-berlin']) shop
cross join interlock.in_shop(shop, $$
  select
    s.deliver_url, (select array_agg(d.hash order by d.id) from interlock.deliver_secrets d) as secrets, (select count(*) from interlock.delivery_cursor) as cursors,
    (select count(*) from interlock.locations l where l.id = interlock.online_location()) as web_shops
  from interlock.settings s
$$) r;
select is(b.r, f.r, 'a new one begins with a web shop, and is delivered for as the first one') from begin_with b join begin_with f on f.shop = '1' where b.shop <> '1';
select is(
  (select b.r - 'secrets' from begin_with b where b.shop = '1'), '{"cursors": 1, "web_shops": 1, "deliver_url": "http://tap.example.com/functions/v1/deliver"}',
  'which has these'
);

-- Changed, and renamed.
select pg_temp.be('service_role');
select is(
  (pg_temp.answer($$set_shop(2, 'closed', 8)$$) -> 'shop') - 'created_at',
  '{"id": 2, "handle": "tap-berlin", "state": "closed", "requests_at_once": 8}', 'a shop is changed'
);
select is(
  (pg_temp.answer($$set_shop(2, p_handle => 'tap-hamburg')$$) -> 'shop') - 'created_at',
  '{"id": 2, "handle": "tap-hamburg", "state": "closed", "requests_at_once": 8}', 'or renamed, and what is not said stays'
);
select is(pg_temp.answer($$set_shop(2, p_handle => 'tap-hamburg')$$) ->> 'success', 'true', 'to its own name, too');
select pg_temp.be('service_role', '2');
select is(pg_temp.answer($$set_shop(2, 'open', 0)$$) #> '{shop,requests_at_once}', 'null', 'in the name of a closed one, which is opened; a limit is taken back');
select is(pg_temp.answer($$set_shop(2, p_handle => 'tap-paris')$$) ->> 'code', 'PT409 SHOP_HANDLE_TAKEN', 'another''s name is not taken from it');
select is(pg_temp.answer($$set_shop(1, p_handle => 'tap-berlin')$$) #>> '{shop,handle}', 'tap-berlin', 'one that is free again may be another''s');
select is(
  pg_temp.problems($$set_shop(2, 'shut', -1, 'No')$$), 'PT400 VALIDATION_FAILED/p_state/p_requests_at_once/p_handle', 'all that is wrong is said at once'
);
select is(pg_temp.answer($$set_shop(1001, 'closed')$$), '{"code": "PT404 SHOP_UNKNOWN", "shop": "1001"}', 'there is no other shop');
select is(pg_temp.answer('set_shop(null)'), '{"code": "PT404 SHOP_UNKNOWN", "shop": ""}', 'nor one without an id');

-- By nobody else.
select pg_temp.be('authenticated', null, '{"role": "staff"}');
select is(
  (select array_agg(distinct pg_temp.answer(c) ->> 'code') from unnest(array['list_shops()', $$add_shop('x')$$, 'set_shop(1)']) c)::text
    ~ '^\{("42501 permission denied for function [a-z_]+",?){3}\}$',
  true, 'staff may do nothing of it'
);

select * from finish();
rollback;

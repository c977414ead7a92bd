-- What comes back to a till and was paid with points or from a wallet: paid out to these, at most what came in by them, and once; part by
-- part, through exchanges and voids; and whose it is.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select no_plan();

insert into auth.users (id, aud, role, email)
values
  ('64000000-0000-4000-8000-0000000000cc', 'authenticated', 'authenticated', 'tap-64@example.com'),
  ('64000000-0000-4000-8000-0000000000dd', 'authenticated', 'authenticated', 'tap-64-other@example.com');
insert into interlock.products (id, name, price, currency, available_quantity)
values
  ('64000000-0000-4000-8000-000000000001', 'mug', 500, 'EUR', 1000),
  ('64000000-0000-4000-8000-000000000002', 'cup', 333, 'EUR', 1000);
insert into interlock.registers (id, location_id, name, currency)
values ('64300000-0000-4000-8000-000000000001', interlock.online_location(), 'till', 'EUR');
insert into interlock.shifts (id, register_id, opening_cash)
values ('64400000-0000-4000-8000-000000000001', '64300000-0000-4000-8000-000000000001', 0);
delete from interlock.points_rules;
delete from interlock.points_values;
delete from interlock.tiers;
insert into interlock.points_rules (currency, per_amount, points) values ('EUR', 100, 1);
insert into interlock.points_values (currency, value) values ('EUR', 10);
update interlock.settings set points_authority = 'shop', tier_basis = 'points', tier_window = null;
insert into interlock.customers (id, name, user_id)
values
  ('64500000-0000-4000-8000-000000000001', 'Ada', '64000000-0000-4000-8000-0000000000cc'),
  ('64500000-0000-4000-8000-000000000002', 'Bob', '64000000-0000-4000-8000-0000000000dd'),
  ('64500000-0000-4000-8000-000000000003', 'Cy', null);
insert into interlock.points_accounts (customer_id, balance) select id, 1000 from interlock.customers where id::text like '64500000-%';
insert into interlock.points_movements (customer_id, kind, points, balance_after)
select id, 'adjusted', 1000, 1000 from interlock.customers where id::text like '64500000-%';
select public.top_up_wallet('64000000-0000-4000-8000-0000000000cc', 5000, 'EUR', 'tap64'),
  public.top_up_wallet('64000000-0000-4000-8000-0000000000dd', 5000, 'EUR', 'tap64 bob');

create temporary table sold (name text primary key, a jsonb) on commit drop;

-- The code of a refusal with its details, or the answer.
create function pg_temp.answer(p_sql text)
returns jsonb
language plpgsql
as $$
declare
  v_answer jsonb;
  v_detail text;
begin
  execute 'select (' || p_sql || ')::jsonb' into v_answer;
  return v_answer;
exception
  when others then
    get stacked diagnostics v_detail = pg_exception_detail;
    return jsonb_build_object('code', coalesce(sqlerrm, ''), 'details', case when v_detail ~ '^[{]' then v_detail::jsonb - 'message' - case sqlerrm when 'VALIDATION_FAILED' then '' else 'problems' end end);
end
$$;
create function pg_temp.who(p_name text) returns uuid language sql as $$ select id from interlock.customers where name = p_name and id::text like '64500000-%' $$;
create function pg_temp.sale_id(p_name text) returns uuid language sql as $$ select (a #>> '{sale,id}')::uuid from sold where name = p_name $$;

-- A sale under a name: so many mugs and cups, of a sale so many mugs (line 0) back, paid or paid out as it says, to whom it says.
create function pg_temp.ask(p_mugs int, p_cups int, p_of text, p_back int, p_tenders jsonb, p_who text default null, p_line int default 0)
returns jsonb
language sql
as $$
  select pg_temp.answer(format(
    'public.pos_sale(''64300000-0000-4000-8000-000000000001'', %L, %L, %L, %L)',
    nullif(
      case when p_mugs > 0 then jsonb_build_array(jsonb_build_object('product_id', '64000000-0000-4000-8000-000000000001', 'quantity', p_mugs)) else '[]' end
        || case when p_cups > 0 then jsonb_build_array(jsonb_build_object('product_id', '64000000-0000-4000-8000-000000000002', 'quantity', p_cups)) else '[]' end,
      '[]'
    ),
    (select jsonb_agg(jsonb_build_object('type', t.key, 'amount', t.value)) from jsonb_each(p_tenders) t),
    case when p_of = 'none' then
      jsonb_build_array(jsonb_build_object('product_id', '64000000-0000-4000-8000-000000000001', 'quantity', p_back, 'reason', 'x'))
    when p_of is not null then
      jsonb_build_array(jsonb_build_object('sale_id', pg_temp.sale_id(p_of), 'line', p_line, 'quantity', p_back, 'reason', 'x'))
    end,
    case when p_who is not null then jsonb_build_object('id', pg_temp.who(p_who)) end
  ))
$$;
create function pg_temp.keep(p_name text, p_mugs int, p_cups int, p_of text, p_back int, p_tenders jsonb, p_who text default null, p_line int default 0)
returns jsonb
language sql
as $$ insert into sold values (p_name, pg_temp.ask(p_mugs, p_cups, p_of, p_back, p_tenders, p_who, p_line)) returning a $$;
create function pg_temp.void(p_name text)
returns jsonb
language sql
as $$ select pg_temp.answer(format('public.void_sale(%L, ''x'')', pg_temp.sale_id(p_name))) $$;
-- Points, what is owed, whether the ledger says the same, and the wallet.
create function pg_temp.has(p_name text)
returns text
language sql
as $$
  select concat_ws(' ', a.balance, a.owed, (
    select case when sum(m.points) = a.balance and sum(m.owed) = a.owed then 'even' else 'uneven' end
    from interlock.points_movements m where m.customer_id = a.customer_id
  ), (select w.balance from interlock.wallets w join interlock.customers c on c.user_id = w.user_id where c.id = a.customer_id))
  from interlock.points_accounts a
  where a.customer_id = pg_temp.who(p_name)
$$;

-- Points: three mugs, of which two thirds are paid with them. What they had earned goes with them.
select is(
  pg_temp.keep('three', 3, 0, null, null, '{"points": 1010, "cash": 490}', 'Ada') #> '{sale,loyalty}',
  '{"earned": 4, "spent": 101, "given_back": 0, "taken_back": 0, "balance": 903, "tier": null, "tier_before": null}', 'points pay'
);
select is(
  pg_temp.ask(0, 0, 'three', 3, '{"points": 1011, "cash": 489}') #> '{details,tenders}',
  '[{"type": "cash", "requested": 489, "refundable": 490}, {"type": "points", "requested": 1011, "refundable": 1010}]', 'no more is paid out in points than was paid'
);
select is(
  pg_temp.ask(0, 0, 'three', 1, '{"points": 500}', 'Bob'),
  jsonb_build_object('code', 'CUSTOMERS_DIFFER', 'details', jsonb_build_object('customer_ids', jsonb_build_array(pg_temp.who('Ada'), pg_temp.who('Bob')))),
  'to whoever has bought it'
);
select is(
  ((pg_temp.keep('one back', 0, 0, 'three', 1, '{"points": 335, "cash": 165}') -> 'sale') #- '{customer,id}')
    - '{id,shift_id,sold_at,returns,location_id,recorded_at,register_id}'::text[],
  '{"receipt_number": 2, "receipt": "000002", "status": "completed", "currency": "EUR", "lines": [], "subtotal": 0, "discount": 0, "tax": 0, "tax_included": 0,
    "returned": 500, "total": -500, "change_due": 0, "promo_code": null, "approved_by": null, "offline": false, "late": false, "needs_review": [], "shortfalls": [],
    "tenders": [{"type": "cash", "amount": 165, "reference": null}, {"type": "points", "amount": 335, "reference": null}],
    "customer": {"name": "Ada", "phone": null, "email": null, "marketing": true, "points": 934, "tier": null},
    "loyalty": {"earned": 0, "spent": 0, "given_back": 33, "taken_back": 2, "balance": 934, "tier": null, "tier_before": null}}'::jsonb,
  'they come back to the customer of the receipt, rounded down'
);
select is(pg_temp.has('Ada'), '934 0 even 5000', 'and the ledger agrees');
select is(
  (select array_agg(concat_ws(' ', m.kind, m.points) order by m.id) from interlock.points_movements m where m.sale_id = pg_temp.sale_id('one back')),
  array['given_back 33'], 'under the sale with which they came back'
);
select is(
  (select string_agg(regexp_replace(l, ' +', ' ', 'g'), ',') from string_to_table(public.sale_receipt(pg_temp.sale_id('one back')), E'\n') l where l ~ 'oints|Cash'),
  'Cash -1.65,Points -3.35,Points taken back 2,Points given back 33,Points now 934', 'the receipt has it'
);
-- By now a point is worth something else, and then nothing.
update interlock.points_values set value = 99 where currency = 'EUR';
select is(pg_temp.keep('two back', 0, 0, 'three', 1, '{"points": 335, "cash": 165}', 'Ada') #> '{sale,loyalty,given_back}', '34', 'by what they were spent for');
delete from interlock.points_values;
select is(pg_temp.void('one back') ->> 'success', 'true', 'a part is voided');
select is(pg_temp.void('one back') ->> 'success', 'true', 'once');
select is(pg_temp.has('Ada'), '935 0 even 5000', 'and its points are gone again');
select is(pg_temp.keep('one again', 0, 0, 'three', 1, '{"points": 335, "cash": 165}') #> '{sale,loyalty,given_back}', '33', 'it may come back anew');
select is(pg_temp.keep('last back', 0, 0, 'three', 1, '{"points": 340, "cash": 160}') #> '{sale,loyalty,given_back}', '34', 'the last part has the rest');
select is(pg_temp.has('Ada'), '1000 0 even 5000', 'part by part all came back, and what was earned is gone');
select is(pg_temp.ask(0, 0, 'three', 1, '{"points": 500}') ->> 'code', 'RETURN_EXCEEDS_SOLD', 'once');
insert into interlock.points_values (currency, value) values ('EUR', 10);

-- What was spent since is owed when the return is voided.
select pg_temp.keep('gone', 1, 0, null, null, '{"points": 500}', 'Cy');
select is(pg_temp.keep('gone back', 0, 0, 'gone', 1, '{"points": 500}') #> '{sale,loyalty,given_back}', '50', 'all of it');
select public.adjust_points(pg_temp.who('Cy'), 'x', 'tap64', p_balance => 20);
select is(pg_temp.void('gone back') ->> 'success', 'true', 'voided, though the points are spent');
select is(pg_temp.has('Cy'), '0 30 even', 'the rest is owed');
select is(pg_temp.keep('gone again', 0, 0, 'gone', 1, '{"points": 500}') #> '{sale,loyalty}',
  '{"earned": 0, "spent": 0, "given_back": 50, "taken_back": 0, "balance": 20, "tier": null, "tier_before": null}', 'and paid by what comes back');
select is(pg_temp.has('Cy'), '20 0 even', 'to the point');

-- A wallet.
select pg_temp.keep('wallet', 2, 0, null, null, '{"wallet": 700, "cash": 300}', 'Ada');
select is(
  pg_temp.ask(0, 0, 'wallet', 2, '{"wallet": 701, "cash": 299}') #> '{details,tenders}',
  '[{"type": "cash", "requested": 299, "refundable": 300}, {"type": "wallet", "requested": 701, "refundable": 700}]', 'no more than it has paid'
);
select is(pg_temp.keep('into it', 0, 0, 'wallet', 1, '{"wallet": 500}') #>> '{sale,total}', '-500', 'money goes back into the wallet');
select is(pg_temp.has('Ada'), '1005 0 even 4800', 'as much');
select is(
  (select array_agg(concat_ws(' ', m.reason, m.delta) order by m.id) from interlock.wallet_movements m where m.reference_id = pg_temp.sale_id('into it')),
  array['pos_return 500'], 'with a row in its ledger'
);
select is(pg_temp.void('into it') ->> 'success', 'true', 'a void takes it out again');
select is(pg_temp.has('Ada'), '1010 0 even 4300', 'all of it');
select is(pg_temp.keep('into it again', 0, 0, 'wallet', 1, '{"wallet": 500}') #>> '{sale,total}', '-500', 'and back');
select public.debit_wallet('64000000-0000-4000-8000-0000000000cc', 4700, 'EUR', 'tap64 debit');
select is(pg_temp.void('into it again') ->> 'code', 'INSUFFICIENT_FUNDS', 'but not what is spent by then');
select is(pg_temp.has('Ada'), '1005 0 even 100', 'of which nothing is changed');
select public.link_customer(pg_temp.who('Ada'), null);
select is(pg_temp.ask(0, 0, 'wallet', 1, '{"wallet": 200, "cash": 300}') #> '{details,problems}',
  '[{"pointer": "/customer", "message": "has no account, and so no wallet"}]', 'without an account there is no wallet');
select is(pg_temp.void('into it again') ->> 'code', 'WALLET_UNLINKED', 'nor one to take it from');
select public.link_customer(pg_temp.who('Ada'), '64000000-0000-4000-8000-0000000000cc');
select is(pg_temp.keep('rest of it', 0, 0, 'wallet', 1, '{"wallet": 200, "cash": 300}') #>> '{sale,total}', '-500', 'the rest in both');
select is(pg_temp.has('Ada'), '1000 0 even 300', 'all is back');

-- Exchanges: what comes back is theirs who had bought it, and what points have paid goes on to earn nothing.
select pg_temp.keep('mug', 2, 0, null, null, '{"points": 500, "cash": 500}', 'Ada');
select is(
  pg_temp.keep('mug for mug', 1, 0, 'mug', 1, null) #> '{sale,loyalty}',
  '{"earned": 2, "spent": 0, "given_back": 0, "taken_back": 3, "balance": 954, "tier": null, "tier_before": null}', 'half of it is paid with points'
);
select is(
  pg_temp.keep('cup for mug', 0, 1, 'mug for mug', 1, '{"points": 160, "cash": 7}') #> '{sale,loyalty}',
  '{"earned": 2, "spent": 0, "given_back": 16, "taken_back": 2, "balance": 970, "tier": null, "tier_before": null}', 'a cheaper one: some is paid out, and some stays'
);
select is(
  pg_temp.keep('mug for cup', 1, 0, 'cup for mug', 1, '{"points": 160, "cash": 7}') #> '{sale,loyalty}',
  '{"earned": 2, "spent": 16, "given_back": 0, "taken_back": 2, "balance": 954, "tier": null, "tier_before": null}', 'a dearer one'
);
select is(
  pg_temp.ask(0, 0, 'mug for cup', 1, '{"points": 501}') ->> 'code', 'OVERPAID', 'and at last'
);
select is(
  pg_temp.keep('end of it', 0, 0, 'mug for cup', 1, '{"points": 500}') #> '{sale,loyalty}',
  '{"earned": 0, "spent": 0, "given_back": 50, "taken_back": 2, "balance": 1002, "tier": null, "tier_before": null}', 'all that was spent comes back through every exchange'
);
select is(pg_temp.ask(0, 0, 'mug', 1, '{"points": 1, "cash": 499}') #> '{details,tenders,1,refundable}', '0', 'and no more');
select is(pg_temp.void('end of it') ->> 'success', 'true', 'the last return is voided');
select is(pg_temp.void('mug for cup') ->> 'success', 'true', 'and an exchange that was paid');
select is(pg_temp.void('cup for mug') ->> 'success', 'true', 'and one that was paid out');
select is(pg_temp.void('mug for mug') ->> 'success', 'true', 'and one of nothing');
select is(pg_temp.has('Ada'), '955 0 even 300', 'points are as they were');
select is(pg_temp.keep('both', 0, 0, 'mug', 2, '{"points": 500, "cash": 500}') #> '{sale,loyalty,balance}', '1000', 'and as they had been');
-- A point that paid for half a cent of each is a cent of the first that is exchanged, as every share is.
update interlock.points_values set value = 1 where currency = 'EUR';
select pg_temp.keep('two cups', 0, 2, null, null, '{"points": 1, "cash": 665}', 'Ada');
select is(pg_temp.keep('mug for a cup', 1, 0, 'two cups', 1, '{"cash": 167}') #> '{sale,loyalty,earned}', '4', 'half a cent is rounded up');
select is(pg_temp.void('mug for a cup') ->> 'success', 'true', 'and back');
select is(pg_temp.keep('no cups', 0, 0, 'two cups', 2, '{"points": 1, "cash": 665}', 'Ada', 0) #> '{sale,loyalty,balance}', '1000', 'with what it was paid with');
update interlock.points_values set value = 10 where currency = 'EUR';
-- Points that were worth more than those that came back before.
select pg_temp.keep('cheap', 2, 0, null, null, '{"points": 1000}', 'Ada');
select is(pg_temp.keep('cheap back', 0, 0, 'cheap', 1, '{"points": 500}') #> '{sale,loyalty,given_back}', '50', 'half');
update interlock.points_values set value = 500 where currency = 'EUR';
select pg_temp.keep('dear', 2, 0, 'cheap', 1, '{"points": 500}');
select is(pg_temp.keep('dear back', 0, 0, 'dear', 1, '{"points": 500}') #> '{sale,loyalty,given_back}', '17', 'of all that was spent its share');
select is(pg_temp.keep('dear too', 0, 0, 'dear', 1, '{"points": 500}') #> '{sale,loyalty,given_back}', '34', 'and the rest');
select is(pg_temp.has('Ada'), '1000 0 even 300', 'all of it is back');
select pg_temp.keep('cheap2', 2, 0, null, null, '{"points": 1000}', 'Bob');
update interlock.points_values set value = 10 where currency = 'EUR';

-- A walk-in has neither points nor a wallet; without a receipt cash is paid out; and nobody gets what another has paid.
select pg_temp.keep('walk-in', 2, 0, null, null, '{"cash": 1000}');
select is(pg_temp.ask(0, 0, 'walk-in', 1, '{"points": 500}') #> '{details,problems,0,pointer}', '"/customer"', 'a walk-in has no points');
select is(pg_temp.ask(0, 0, 'walk-in', 1, '{"wallet": 500}') #> '{details,problems,0,pointer}', '"/customer"', 'nor a wallet');
select is(pg_temp.ask(2, 0, 'walk-in', 1, '{"wallet": 500}') #> '{details,problems,0,pointer}', '"/customer"', 'nor pays with one');
select is(pg_temp.ask(0, 0, 'walk-in', 1, '{"points": 500}', 'Bob') #> '{details,tenders,1}', '{"type": "points", "requested": 500, "refundable": 0}', 'whoever comes with it');
select is(pg_temp.ask(0, 0, 'none', 1, '{"wallet": 500}', 'Bob') #> '{details,tenders,1}', '{"type": "wallet", "requested": 500, "refundable": 0}', 'nor without a receipt');
select is(pg_temp.keep('to Ada', 2, 0, 'walk-in', 1, '{"wallet": 300, "cash": 200}', 'Ada') #>> '{sale,customer,name}', 'Ada', 'whoever exchanges it has bought the other');
select is(pg_temp.keep('to Bob', 2, 0, 'walk-in', 1, '{"wallet": 500}', 'Bob') #>> '{sale,customer,name}', 'Bob', 'each of them');
select is(
  pg_temp.ask(0, 0, 'to Ada', 2, '{"wallet": 800, "cash": 200}') #> '{details,tenders,1}', '{"type": "wallet", "requested": 800, "refundable": 300}', 'gets what they have paid'
);
select is(pg_temp.keep('of Ada', 0, 0, 'to Ada', 2, '{"wallet": 300, "cash": 700}') #>> '{sale,customer,name}', 'Ada', 'and in cash what was cash');

select pg_temp.keep('another walk-in', 2, 0, null, null, '{"cash": 1000}');
select is(pg_temp.keep('points of Ada', 2, 0, 'another walk-in', 1, '{"points": 500}', 'Ada') #> '{sale,loyalty,spent}', '50', 'one pays with points');
update interlock.points_values set value = 20 where currency = 'EUR';
select is(pg_temp.keep('points of Bob', 2, 0, 'another walk-in', 1, '{"points": 500}', 'Bob') #> '{sale,loyalty,spent}', '25', 'another with theirs');
update interlock.points_values set value = 10 where currency = 'EUR';
select is(
  pg_temp.keep('back to Ada', 0, 0, 'points of Ada', 2, '{"points": 500, "cash": 500}') #> '{sale,loyalty,given_back}', '50', 'each gets what they have spent'
);

-- Merged, erased.
select public.merge_customers(pg_temp.who('Ada'), pg_temp.who('Cy'));
select pg_temp.keep('of Cy', 1, 0, null, null, '{"points": 500}', 'Cy');
select is(pg_temp.keep('of who is Cy', 0, 0, 'mug', 0, null) ->> 'code', 'VALIDATION_FAILED', 'nothing is nothing');
select public.link_customer(pg_temp.who('Cy'), null);
select public.merge_customers(pg_temp.who('Cy'), pg_temp.who('Bob'));
select is(pg_temp.keep('Bob''s now', 0, 0, 'of Cy', 1, '{"points": 500}', 'Bob') #> '{sale,loyalty,given_back}', '50', 'points are theirs who have them by now');
select public.erase_customer(pg_temp.who('Bob'));
select is(pg_temp.ask(0, 0, 'to Bob', 1, '{"wallet": 500}') #> '{details,problems,0,pointer}', '"/customer"', 'of who is erased nothing goes to anybody');
select is(pg_temp.keep('erased', 0, 0, 'to Bob', 1, '{"cash": 300, "wallet": 200}') ->> 'code', 'VALIDATION_FAILED', 'not in part');
select is(pg_temp.ask(0, 0, 'to Bob', 2, '{"cash": 1000}') ->> 'code', 'REFUND_EXCEEDS_PAID', 'and not in cash');

select is((select count(*) from interlock.find_till_differences(array(select s.id from interlock.sales s where s.shift_id = '64400000-0000-4000-8000-000000000001'), null)), 0::bigint, 'the books agree');
select is((select count(*) from interlock.wallet_differences), 0::bigint, 'of wallets, too');
select results_eq(
  $$select t.type, t.amount from interlock.shift_tenders('64400000-0000-4000-8000-000000000001') t order by 1$$,
  $$select t.type::text, sum(case when s.total < 0 then -t.amount else t.amount end - case t.type when 'cash' then s.change_due else 0 end)::bigint
    from interlock.sales s join interlock.sale_tenders t on t.sale_id = s.id where s.status = 'completed' and s.shift_id = '64400000-0000-4000-8000-000000000001'
    group by 1 union all select 'card', 0 order by 1$$, 'and the shift has what came in'
);

select * from finish();
rollback;

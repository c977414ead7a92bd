-- Wallets by hand: debits, adjustments, what support sees, and the currency that a wallet keeps.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(52);

create function pg_temp.id(p_n int)
returns uuid
language sql
as $$
  select ('7c400000-0000-4000-8000-' || lpad(p_n::text, 12, '0'))::uuid
$$;
insert into auth.users (id, aud, role, email)
select pg_temp.id(n), 'authenticated', 'authenticated', format('tap-wallet-%s@example.com', n) from generate_series(1, 5) n;
-- 1 buys, 2 is staff, 3 has another currency, 4 has no wallet, 5 has one that has never held anything.
insert into interlock.wallets (user_id, balance, currency)
values (pg_temp.id(1), 1000, 'EUR'), (pg_temp.id(3), 500, 'USD'), (pg_temp.id(5), 0, 'USD');

-- Who calls; 0 is the service role.
create function pg_temp.be(p_n int)
returns void
language plpgsql
as $$
begin
  if p_n = 0 then
    perform set_config('request.jwt.claims', '{"role": "service_role"}', true);
    set local role service_role;
  else
    perform set_config('request.jwt.claims', json_build_object(
      'role', 'authenticated', 'sub', pg_temp.id(p_n),
      'app_metadata', case when p_n = 2 then '{"role": "staff"}'::json else '{}' end
    )::text, true);
    set local role authenticated;
  end if;
end
$$;
create function pg_temp.refusal(p_sql text)
returns jsonb
language plpgsql
as $$
declare
  v_message text;
  v_detail text;
  v_state text;
begin
  execute p_sql;
  return null;
exception
  when others then
    get stacked diagnostics v_message = message_text, v_detail = pg_exception_detail, v_state = returned_sqlstate;
    if v_state !~ '^PT' then
      return to_jsonb(v_state);
    end if;
    return jsonb_build_object(v_message, v_detail::jsonb - 'message');
end
$$;
grant execute on all functions in schema pg_temp to public;

-- Who may -------------------------------------------------------------------------

select pg_temp.be(1);
select is(pg_temp.refusal(format($$select public.debit_wallet(%L, 1, 'EUR', 'x')$$, pg_temp.id(1))), '{"FORBIDDEN": {}}', 'a buyer takes nothing out');
select is(pg_temp.refusal(format($$select public.adjust_wallet(%L, 1, 'EUR', 'gift', 'x')$$, pg_temp.id(1))), '{"FORBIDDEN": {}}', 'nor puts anything in');
select is(pg_temp.refusal(format($$select public.list_wallet_movements(%L)$$, pg_temp.id(1))), '{"FORBIDDEN": {}}', 'nor reads as staff do');
reset role;
set local role anon;
select is(pg_temp.refusal(format($$select public.debit_wallet(%L, 1, 'EUR', 'x')$$, pg_temp.id(1))), '"42501"', 'nobody is signed in: no debit');
select is(pg_temp.refusal(format($$select public.adjust_wallet(%L, 1, 'EUR', 'gift', 'x')$$, pg_temp.id(1))), '"42501"', 'no adjustment');
select is(pg_temp.refusal(format($$select public.list_wallet_movements(%L)$$, pg_temp.id(1))), '"42501"', 'no list');
reset role;

-- What is wrong with a request -----------------------------------------------------

select pg_temp.be(2);
create temporary table problems (call text, pointers text[]);
insert into problems values
  ($$public.debit_wallet(null, null, null, null)$$, '{/p_amount,/p_user_id,/p_currency,/p_reference}'),
  ($$public.debit_wallet({1}, 0, 'EUR', 'x')$$, '{/p_amount}'),
  ($$public.debit_wallet({1}, -5, 'EUR', 'x')$$, '{/p_amount}'),
  ($$public.debit_wallet({1}, 1000000000001, 'EUR', 'x')$$, '{/p_amount}'),
  ($$public.debit_wallet({1}, 1, 'eur', 'x')$$, '{/p_currency}'),
  ($$public.debit_wallet({1}, 1, 'EUR', 'x', '')$$, '{/p_reason}'),
  ($$public.debit_wallet({1}, 1, 'EUR', 'x', repeat('r', 101))$$, '{/p_reason}'),
  ($$public.debit_wallet({1}, 1, 'EUR', '')$$, '{/p_reference}'),
  ($$public.adjust_wallet(null, null, null, null, null)$$, '{/p_delta,/p_reason,/p_user_id,/p_currency,/p_reference}'),
  ($$public.adjust_wallet({1}, 0, 'EUR', 'r', 'x')$$, '{/p_delta}'),
  ($$public.adjust_wallet({1}, 1000000000001, 'EUR', 'r', 'x')$$, '{/p_delta}'),
  ($$public.adjust_wallet({1}, -1000000000001, 'EUR', 'r', 'x')$$, '{/p_delta}'),
  ($$public.adjust_wallet({1}, 1, 'EUR', null, 'x')$$, '{/p_reason}'),
  ($$public.list_wallet_movements(null, null, null)$$, '{/p_user_id,/p_limit}'),
  ($$public.list_wallet_movements({1}, null, 0)$$, '{/p_limit}'),
  ($$public.list_wallet_movements({1}, null, 201)$$, '{/p_limit}');
select is(
  array(select p ->> 'pointer' from jsonb_array_elements(
    pg_temp.refusal('select ' || replace(call, '{1}', quote_literal(pg_temp.id(1)))) #> '{VALIDATION_FAILED,problems}'
  ) as p),
  pointers, call
)
from problems;
select is(
  pg_temp.refusal(format($$select public.debit_wallet(%L, 1, 'EUR', 'x')$$, pg_temp.id(9))),
  jsonb_build_object('USER_NOT_FOUND', jsonb_build_object('user_id', pg_temp.id(9))), 'there is no such user'
);
select is(
  pg_temp.refusal(format($$select public.debit_wallet(%L, 1001, 'EUR', 'x')$$, pg_temp.id(1))),
  '{"INSUFFICIENT_FUNDS": {"amount": 1001, "balance": 1000, "currency": "EUR"}}', 'more than there is does not leave'
);
select is(
  pg_temp.refusal(format($$select public.adjust_wallet(%L, -1001, 'EUR', 'r', 'x')$$, pg_temp.id(1))),
  '{"INSUFFICIENT_FUNDS": {"amount": 1001, "balance": 1000, "currency": "EUR"}}', 'nor as a correction'
);
select is(
  pg_temp.refusal(format($$select public.debit_wallet(%L, 1, 'EUR', 'x')$$, pg_temp.id(4))),
  '{"INSUFFICIENT_FUNDS": {"amount": 1, "balance": 0, "currency": "EUR"}}', 'no wallet is an empty one'
);
select is(
  pg_temp.refusal(format($$select public.debit_wallet(%L, 1, 'EUR', 'x')$$, pg_temp.id(3))),
  '{"CURRENCY_MISMATCH": {"currency": "EUR", "wallet_currency": "USD"}}', 'a wallet pays in its currency'
);
select is(
  pg_temp.refusal(format($$select public.adjust_wallet(%L, 1, 'EUR', 'r', 'x')$$, pg_temp.id(3))),
  '{"CURRENCY_MISMATCH": {"currency": "EUR", "wallet_currency": "USD"}}', 'and takes no other'
);

-- Done, once -----------------------------------------------------------------------

select is(
  public.debit_wallet(pg_temp.id(1), 400, 'EUR', 'payout 7', 'paid out in cash'),
  jsonb_build_object('success', true, 'user_id', pg_temp.id(1), 'balance', 600, 'currency', 'EUR'), 'a debit'
);
select is(
  public.debit_wallet(pg_temp.id(1), 400, 'EUR', 'payout 7', 'paid out in cash') ->> 'balance', '600', 'sent again it is answered the same'
);
select is((select balance from interlock.wallets where user_id = pg_temp.id(1)), null, 'staff do not read wallets by themselves');
select is(
  pg_temp.refusal(format($$select public.debit_wallet(%L, 401, 'EUR', 'payout 7', 'paid out in cash')$$, pg_temp.id(1))),
  '{"IDEMPOTENCY_KEY_REUSED": {"operation": "debit_wallet"}}', 'another amount under its reference is refused'
);
select is(
  pg_temp.refusal(format($$select public.debit_wallet(%L, 400, 'EUR', 'payout 7')$$, pg_temp.id(1))),
  '{"IDEMPOTENCY_KEY_REUSED": {"operation": "debit_wallet"}}', 'and another reason'
);
select is(
  pg_temp.refusal(format($$select public.debit_wallet(%L, 400, 'EUR', 'payout 7', 'paid out in cash')$$, pg_temp.id(3))),
  '{"IDEMPOTENCY_KEY_REUSED": {"operation": "debit_wallet"}}', 'and another user'
);
select is(public.adjust_wallet(pg_temp.id(1), -100, 'EUR', 'booked twice', 'payout 7') ->> 'balance', '500', 'an adjustment has references of its own');
select is(public.adjust_wallet(pg_temp.id(1), -100, 'EUR', 'booked twice', 'payout 7') ->> 'balance', '500', 'which count once');
select is(public.adjust_wallet(pg_temp.id(1), 30, 'EUR', 'goodwill', 'case 9') ->> 'balance', '530', 'one in the other direction');
select is(
  public.adjust_wallet(pg_temp.id(4), 50, 'EUR', 'goodwill', 'case 10'),
  jsonb_build_object('success', true, 'user_id', pg_temp.id(4), 'balance', 50, 'currency', 'EUR'), 'it makes a wallet where there is none'
);
reset role;
select pg_temp.be(0);
select is(public.debit_wallet(pg_temp.id(1), 530, 'EUR', 'payout 8') ->> 'balance', '0', 'the shop takes the last');
reset role;
select is((select balance from interlock.wallets where user_id = pg_temp.id(1)), 0::bigint, 'all of it');
select is(nullif(current_setting('interlock.reference', true), ''), null, 'nothing that follows has its reference');
select is(nullif(current_setting('interlock.reason', true), ''), null, 'nor its reason');

-- What support sees ----------------------------------------------------------------

select pg_temp.be(2);
select is(
  public.list_wallet_movements(pg_temp.id(1)) -> 'wallet' ->> 'balance', '0', 'the wallet'
);
select is(
  array(
    select concat_ws('|', m ->> 'delta', m ->> 'balance_after', m ->> 'reason', m ->> 'reference', m ->> 'actor')
    from jsonb_array_elements(public.list_wallet_movements(pg_temp.id(1)) -> 'movements') as m
  ),
  array[
    '-530|0|debit|payout 8',
    '30|530|goodwill|case 9|' || pg_temp.id(2),
    '-100|500|booked twice|payout 7|' || pg_temp.id(2),
    '-400|600|paid out in cash|payout 7|' || pg_temp.id(2),
    '1000|1000|opening'
  ],
  'how much, why, under which reference and by whom, the latest first'
);
select is(
  (select jsonb_agg(m -> 'delta')
   from jsonb_array_elements(public.list_wallet_movements(pg_temp.id(1), null, 2) -> 'movements') as m),
  '[-530, 30]', 'a page'
);
select is(
  (select jsonb_agg(m -> 'delta')
   from jsonb_array_elements(public.list_wallet_movements(
     pg_temp.id(1), (public.list_wallet_movements(pg_temp.id(1), null, 2) #>> '{movements,1,id}')::bigint, 2
   ) -> 'movements') as m),
  '[-100, -400]', 'and the next'
);
select is(
  public.list_wallet_movements(pg_temp.id(9)), '{"success": true, "wallet": null, "movements": []}', 'nothing is known of nobody'
);
reset role;

-- The currency ----------------------------------------------------------------------

select throws_ok(
  format($$update interlock.wallets set currency = 'USD' where user_id = %L$$, pg_temp.id(1)),
  '23514', format('the wallet of user %s has held EUR and keeps its currency', pg_temp.id(1)),
  'an empty wallet that has a ledger keeps its currency'
);
select lives_ok(
  format($$update interlock.wallets set currency = 'EUR' where user_id = %L$$, pg_temp.id(5)), 'one that has never held anything does not'
);
insert into interlock.wallet_balances (user_id, closed_through, balance) values (pg_temp.id(5), 0, 0);
select throws_like(
  format($$update interlock.wallets set currency = 'USD' where user_id = %L$$, pg_temp.id(5)),
  '% keeps its currency', 'a ledger that is closed and gone counts, too'
);
delete from interlock.wallet_balances where user_id = pg_temp.id(5);
select throws_ok(
  format($$update interlock.wallets set user_id = %L where user_id = %L$$, pg_temp.id(2), pg_temp.id(5)),
  '23514', format('the owner of wallet %s cannot change', pg_temp.id(5)), 'nor does a wallet change its owner'
);
select is_empty('select * from interlock.wallet_differences', 'the ledgers add up');

select * from finish();
rollback;

-- Receipts: exactly what is printed in 32 and 48 columns, and as a page; long and wide names, amounts of any currency, languages.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select no_plan();

-- Numbers, amounts, columns --------------------------------------------------------

select is(interlock.format_amount(v.amount, v.currency, v.language), v.said, concat_ws(' ', v.amount, v.currency, v.language))
from (values
  (0, 'EUR', 'en', '0.00'), (5, 'EUR', 'en', '0.05'), (-197, 'EUR', 'en', '-1.97'), (99999, 'USD', 'en', '999.99'),
  (100000, 'USD', 'en', '1,000.00'), (-123456789, 'USD', 'de', '-1.234.567,89'), (1234567, 'JPY', 'en', '1,234,567'),
  (1234567, 'KWD', 'en', '1,234.567'), (1234567, 'CLF', 'de', '123,4567'), (9007199254740991, 'EUR', 'en', '90,071,992,547,409.91')
) as v (amount, currency, language, said);
select is(
  (select string_agg(interlock.format_number(n, l), ' ' order by l desc, n) from unnest(array[1.52, 12000, 0.001]) n, unnest(array['en', 'de']) l),
  '0.001 1.52 12,000 0,001 1,52 12.000', 'quantities'
);
select is(interlock.text_width(v.text), v.width, v.text || ' is so wide')
from (values ('', 0), ('mug', 3), ('Grüße', 5), (U&'u\0308', 1), ('抹茶 x', 6), ('한글', 4), ('🎁', 2), (U&'\+01F44D\+01F3FD', 2)) as v (text, width);
select is(interlock.wrap_text(v.text, 8), v.lines, 'wrapped: ' || v.text)
from (values
  ('a mug', array['a mug']), ('mug with a handle', array['mug with', 'a handle']), ('  two   blanks ', array['two', 'blanks']),
  ('unbreakable', array['unbreaka', 'ble']), ('an unbreakable mug', array['an', 'unbreaka', 'ble mug']), ('抹茶ラテセット', array['抹茶ラテ', 'セット']),
  ('a抹茶ラテ', array['a抹茶ラ', 'テ']), ('', array[''])
) as v (text, lines);

select is(interlock.escape_html($$'a'$$), '&#39;a&#39;', 'quotes of both kinds are escaped');

-- A sale ---------------------------------------------------------------------------

insert into auth.users (id, aud, role, email)
select ('62000000-0000-4000-8000-0000000000' || n)::uuid, 'authenticated', 'authenticated', 'tap-62-' || n || '@example.com'
from unnest(array['aa', 'cc']) n;
create function pg_temp.act_as(p_user text, p_role text)
returns void
language sql
as $$
  select
    set_config('role', case when p_user is null then 'none' else 'authenticated' end, true),
    set_config('request.jwt.claims', case when p_user is null then '' else jsonb_build_object(
      'sub', '62000000-0000-4000-8000-0000000000' || p_user, 'role', 'authenticated', 'app_metadata', jsonb_build_object('role', p_role)
    )::text end, true)
$$;
insert into interlock.products (id, name, price, currency, available_quantity, decimals, unit, tax_class, stock_policy)
values
  ('62000000-0000-4000-8000-000000000001', 'Flower <b>& "friends"</b>, a name that is very long and goes on', 1299, 'EUR', 0, 3, 'g', 'tap62', 'tracked'),
  ('62000000-0000-4000-8000-000000000002', 'Mug', 500, 'EUR', 0, 0, 'piece', 'tap62', 'tracked'),
  ('62000000-0000-4000-8000-000000000003', '抹茶ラテ セット 特別版 🎁 限定', 123450, 'EUR', 0, 0, 'piece', 'tap62-7', 'tracked'),
  ('62000000-0000-4000-8000-000000000004', 'Donaudampfschifffahrtsgesellschaftskapitänsmützenbürste', 10, 'EUR', 0, 0, 'piece', 'tap62-on', 'tracked');
insert into interlock.locations (id, name) values ('62100000-0000-4000-8000-000000000001', 'Tap store');
insert into interlock.inventory (product_id, location_id, quantity)
select id, '62100000-0000-4000-8000-000000000001', 50 from interlock.products where id::text like '62000000-%';
insert into interlock.tax_rates (tax_class, name, percent, inclusive)
values ('tap62', 'VAT', 19, true), ('tap62-7', 'VAT', 7, true), ('tap62-on', 'Levy', 5.5, false);
insert into interlock.registers (id, location_id, name, currency, receipt_prefix)
values ('62300000-0000-4000-8000-000000000001', '62100000-0000-4000-8000-000000000001', 'Front', 'EUR', 'TAP62');
update interlock.settings
set shop_name = 'Grüner Laden', shop_address = E'Torstraße 12\n10119 Berlin', shop_tax_id = 'DE123456789', shop_time_zone = 'Europe/Berlin',
    receipt_footer = E'Thank you!\nWe take goods back for 14 days, with this receipt.';

select pg_temp.act_as('aa', 'cashier');
select lives_ok($$ select public.open_shift('62300000-0000-4000-8000-000000000001', 0) $$, 'a shift');
create temporary table sold on commit drop as select
  public.pos_sale(
    '62300000-0000-4000-8000-000000000001',
    '[
      {"product_id": "62000000-0000-4000-8000-000000000001", "quantity": 1.52, "discount": {"percent": 10, "reason": "bruised"}},
      {"product_id": "62000000-0000-4000-8000-000000000002", "quantity": 1},
      {"product_id": "62000000-0000-4000-8000-000000000003", "quantity": 2},
      {"product_id": "62000000-0000-4000-8000-000000000004", "quantity": 3}
    ]',
    '[{"type": "card", "amount": 200000, "reference": "term-000123"}, {"type": "cash", "amount": 60000}]'
  ) #>> '{sale,id}' as id,
  public.pos_sale(
    '62300000-0000-4000-8000-000000000001', '[{"product_id": "62000000-0000-4000-8000-000000000002", "quantity": 1}]',
    '[{"type": "cash", "amount": 500}]'
  ) #>> '{sale,id}' as small;

-- The receipt, with any date.
create function pg_temp.receipt(p_more text)
returns text
language plpgsql
as $$
declare
  v_receipt text;
begin
  execute format('select public.sale_receipt((select id::uuid from sold)%s)', p_more) into v_receipt;
  return replace(replace(
    v_receipt, to_char(now() at time zone 'Europe/Berlin', 'YYYY-MM-DD HH24:MI'), 'YYYY-MM-DD HH:MI'
  ), to_char(now() at time zone 'Europe/Berlin', 'DD.MM.YYYY HH24:MI'), 'DD.MM.YYYY HH:MI');
end
$$;

select is(pg_temp.receipt(''), $receipt$                  Grüner Laden
                  Torstraße 12
                  10119 Berlin
               Tax ID DE123456789
------------------------------------------------
Receipt TAP62-000001            YYYY-MM-DD HH:MI
Till Front
------------------------------------------------
Flower <b>& "friends"</b>, a name that is very
long and goes on
  1.52 g x 12.99                           19.74
  Discount: bruised                        -1.97
Mug                                         5.00
抹茶ラテ セット 特別版 🎁 限定
  2 x 1,234.50                          2,469.00
Donaudampfschifffahrtsgesellschaftskapitänsmütze
nbürste
  3 x 0.10                                  0.30
------------------------------------------------
Subtotal                                2,492.07
Tax 5.5 % on 0.30                           0.02
TOTAL EUR                               2,492.09
Card term-000123                        2,000.00
Cash                                      600.00
Change                                    107.91
------------------------------------------------
Incl. tax 7 % on 2,469.00                 161.52
Incl. tax 19 % on 22.77                     3.64
------------------------------------------------
                   Thank you!
   We take goods back for 14 days, with this
                    receipt.
$receipt$, 'in 48 columns');
select is(pg_temp.receipt(', p_columns => 32'), $receipt$          Grüner Laden
          Torstraße 12
          10119 Berlin
       Tax ID DE123456789
--------------------------------
Receipt
TAP62-000001    YYYY-MM-DD HH:MI
Till Front
--------------------------------
Flower <b>& "friends"</b>, a
name that is very long and goes
on
  1.52 g x 12.99           19.74
  Discount: bruised        -1.97
Mug                         5.00
抹茶ラテ セット 特別版 🎁 限定
  2 x 1,234.50          2,469.00
Donaudampfschifffahrtsgesellscha
ftskapitänsmützenbürste
  3 x 0.10                  0.30
--------------------------------
Subtotal                2,492.07
Tax 5.5 % on 0.30           0.02
TOTAL EUR               2,492.09
Card term-000123        2,000.00
Cash                      600.00
Change                    107.91
--------------------------------
Incl. tax 7 % on 2,469.00 161.52
Incl. tax 19 % on 22.77     3.64
--------------------------------
           Thank you!
We take goods back for 14 days,
       with this receipt.
$receipt$, 'in 32 columns');
select is(pg_temp.receipt($$, p_columns => 32, p_language => 'de'$$), $receipt$          Grüner Laden
          Torstraße 12
          10119 Berlin
     USt-IdNr. DE123456789
--------------------------------
Bon
TAP62-000001    DD.MM.YYYY HH:MI
Kasse Front
--------------------------------
Flower <b>& "friends"</b>, a
name that is very long and goes
on
  1,52 g x 12,99           19,74
  Rabatt: bruised          -1,97
Mug                         5,00
抹茶ラテ セット 特別版 🎁 限定
  2 x 1.234,50          2.469,00
Donaudampfschifffahrtsgesellscha
ftskapitänsmützenbürste
  3 x 0,10                  0,30
--------------------------------
Zwischensumme           2.492,07
zzgl. MwSt. 5,5 % auf 0,30  0,02
SUMME EUR               2.492,09
Karte term-000123       2.000,00
Bar                       600,00
Rückgeld                  107,91
--------------------------------
Enth. MwSt. 7 % aus
2.469,00                  161,52
Enth. MwSt. 19 % aus 22,77  3,64
--------------------------------
           Thank you!
We take goods back for 14 days,
       with this receipt.
$receipt$, 'in German');
select pg_temp.act_as(null, null);
select is_empty(
  $$
    select l from string_to_table(pg_temp.receipt(', p_columns => 24'), E'\n') l where interlock.text_width(l) > 24
  $$, 'nothing is wider than the paper'
);
select pg_temp.act_as('aa', 'manager');
select matches(pg_temp.receipt($$, 'html'$$), v.part, 'the page has ' || v.part)
from (values
  ('^<!doctype html>\n<html lang="en">\n'), ('<title>Receipt TAP62-000001</title>'), ('<h1>Grüner Laden</h1>\n<p>Torstraße 12</p>\n<p>10119 Berlin</p>\n<p>Tax ID DE123456789</p>\n<hr>\n'),
  ('<div class="row"><span>Receipt TAP62-000001</span><span>YYYY-MM-DD HH:MI</span></div>'),
  ('<span>Flower &lt;b&gt;&amp; &quot;friends&quot;&lt;/b&gt;, a name that is very long and goes on</span>'),
  ('<div class="detail"><span>1.52 g x 12.99</span><span>19.74</span></div>'), ('<div class="total"><span>TOTAL EUR</span><span>2,492.09</span></div>'),
  ('size: 80mm 297mm'), ('font: 3.3mm/'), ('<p>Thank you!</p>\n<p>We take goods back for 14 days, with this receipt.</p>\n</main>\n</body>\n</html>\n$')
) as v (part);
select matches(pg_temp.receipt($$, 'html', 32, 'de'$$), '<html lang="de">.*size: 58mm 297mm.*font: 2.7mm/.*<span>SUMME EUR</span>', 'and is narrower on narrow paper');
select unalike(pg_temp.receipt(''), '%VOID%', 'it counts');

select public.void_sale((select id::uuid from sold), 'tap');
select is(
  (select string_agg(l, ',') from string_to_table(pg_temp.receipt(''), E'\n') l where l like '%VOID%'),
  repeat(' ', 18) || '*** VOID ***,' || repeat(' ', 18) || '*** VOID ***', 'unless it is void, which it says twice'
);
select matches(pg_temp.receipt($$, 'html', 48, 'de'$$), '<p class="banner">STORNIERT</p>', 'on the page as well');

-- What came back, with another mug, and with nothing.
create temporary table pair on commit drop as select public.pos_sale(
  '62300000-0000-4000-8000-000000000001', '[{"product_id": "62000000-0000-4000-8000-000000000002", "quantity": 3}]',
  '[{"type": "cash", "amount": 1500}]'
) #>> '{sale,id}' as original;
create function pg_temp.bring_back(p_lines text, p_quantity int, p_tenders text)
returns text
language sql
as $$
  select public.pos_sale(
    '62300000-0000-4000-8000-000000000001', p_lines::jsonb, p_tenders::jsonb,
    jsonb_build_array(jsonb_build_object('sale_id', p.original, 'line', 0, 'quantity', p_quantity, 'reason', 'chipped'))
  ) #>> '{sale,id}'
  from pair p
$$;
update sold set id = pg_temp.bring_back('[{"product_id": "62000000-0000-4000-8000-000000000004", "quantity": 10}]', 1, '[{"type": "cash", "amount": 394}]');
select is(pg_temp.receipt(', p_columns => 32'), $receipt$          Grüner Laden
          Torstraße 12
          10119 Berlin
       Tax ID DE123456789
--------------------------------
Receipt
TAP62-000004    YYYY-MM-DD HH:MI
Till Front
--------------------------------
Donaudampfschifffahrtsgesellscha
ftskapitänsmützenbürste
  10 x 0.10                 1.00
Mug
  Returned 1 x 5.00        -5.00
--------------------------------
Subtotal                   -4.00
Tax 5.5 % on 1.00           0.06
TOTAL EUR                  -3.94
Cash                       -3.94
--------------------------------
Tax on what came back      -0.80
--------------------------------
           Thank you!
We take goods back for 14 days,
       with this receipt.
$receipt$, 'an exchange');
update sold set id = pg_temp.bring_back(null, 2, '[{"type": "cash", "amount": 1000}]');
select is(pg_temp.receipt($$, p_columns => 32, p_language => 'de'$$), $receipt$          Grüner Laden
          Torstraße 12
          10119 Berlin
     USt-IdNr. DE123456789
--------------------------------
Bon
TAP62-000005    DD.MM.YYYY HH:MI
Kasse Front
--------------------------------
Mug
  Rückgabe 2 x 5,00       -10,00
--------------------------------
SUMME EUR                 -10,00
Bar                       -10,00
--------------------------------
MwSt. der Rückgaben        -1,59
--------------------------------
           Thank you!
We take goods back for 14 days,
       with this receipt.
$receipt$, 'goods that came back');

-- Of somebody who is known, with a promo code and points.
select pg_temp.act_as(null, null);
delete from interlock.points_rules;
delete from interlock.points_values;
insert into interlock.points_rules (currency, loyalty_class, per_amount, points) values ('EUR', 'standard', 100, 1);
insert into interlock.points_values (currency, value) values ('EUR', 10);
insert into interlock.promo_codes (code, discount_type, discount_value, currency) values ('TAP62', 'fixed', 200, 'EUR');
select pg_temp.act_as('aa', 'cashier');
create function pg_temp.sell_to_ada(p_quantity int, p_tenders text)
returns text
language sql
as $$
  select public.pos_sale(
    '62300000-0000-4000-8000-000000000001',
    jsonb_build_array(jsonb_build_object('product_id', '62000000-0000-4000-8000-000000000002', 'quantity', p_quantity)), p_tenders::jsonb,
    p_customer => '{"create": {"email": "tap-62-ada@example.com", "name": "Ada Example"}}', p_promo_code => case when p_quantity = 4 then 'TAP62' end
  ) #>> '{sale,id}'
$$;
update sold set id = pg_temp.sell_to_ada(3, '[{"type": "cash", "amount": 1500}]');
update sold set id = pg_temp.sell_to_ada(4, '[{"type": "points", "amount": 100}, {"type": "cash", "amount": 1700}]');
select is(pg_temp.receipt(', p_columns => 32'), $receipt$          Grüner Laden
          Torstraße 12
          10119 Berlin
       Tax ID DE123456789
--------------------------------
Receipt
TAP62-000007    YYYY-MM-DD HH:MI
Till Front
Customer Ada Example
--------------------------------
Mug
  4 x 5.00                 20.00
  Code TAP62               -2.00
--------------------------------
TOTAL EUR                  18.00
Points                      1.00
Cash                       17.00
--------------------------------
Incl. tax 19 % on 18.00     2.87
--------------------------------
Points earned                 17
Points spent                  10
Points now                    22
--------------------------------
           Thank you!
We take goods back for 14 days,
       with this receipt.
$receipt$, 'of a customer');
select is(
  (select string_agg(regexp_replace(l, ' +', ' ', 'g'), ',') from string_to_table(pg_temp.receipt($$, p_columns => 60, p_language => 'de'$$), E'\n') l where l ~ 'Kunde|Code|unkte|Punktestand'),
  'Kunde Ada Example, Code TAP62 -2,00,Punkte 1,00,Punkte gesammelt 17,Punkte eingelöst 10,Punktestand 22', 'in German as well'
);

-- As little as a shop may say.
select pg_temp.act_as(null, null);
update interlock.settings
set shop_name = null, shop_address = null, shop_tax_id = null, receipt_footer = null, receipt_language = 'de', shop_time_zone = 'Europe/Berlin';
delete from interlock.tax_rates where tax_class = 'tap62';
select pg_temp.act_as('aa', 'cashier');
update sold set id = small;
select is(pg_temp.receipt(', p_columns => 24'), $receipt$       Tap store
------------------------
Bon
TAP62-0
00002   DD.MM.YYYY HH:MI
Kasse Front
------------------------
Mug                 5,00
------------------------
SUMME EUR           5,00
Bar                 5,00
------------------------
Enth. MwSt. 19 %
aus 5,00            0,80
$receipt$, 'a small one, in the shop''s language');
select pg_temp.act_as(null, null);
update sold set id = public.pos_sale(
  '62300000-0000-4000-8000-000000000001', '[{"product_id": "62000000-0000-4000-8000-000000000002", "quantity": 2}]',
  '[{"type": "cash", "amount": 1000}]'
) #>> '{sale,id}';
select is(pg_temp.receipt(', p_columns => 24'), $receipt$       Tap store
------------------------
Bon
TAP62-0
00008   DD.MM.YYYY HH:MI
Kasse Front
------------------------
Mug
  2 x 5,00         10,00
------------------------
SUMME EUR          10,00
Bar                10,00
$receipt$, 'and one without tax');

-- Who, and what is wrong ----------------------------------------------------------------

create function pg_temp.problems(p_arguments text)
returns text
language plpgsql
as $$
declare
  v_detail text;
begin
  execute format('select public.sale_receipt(%s)', p_arguments);
  return 'none';
exception
  when sqlstate 'PT400' then
    get stacked diagnostics v_detail = pg_exception_detail;
    return (select string_agg(p ->> 'pointer', ' ') from jsonb_array_elements(v_detail::jsonb -> 'problems') p);
end
$$;
select is(
  pg_temp.problems($$null, 'pdf', 23, 'fr'$$), '/p_sale_id /p_format /p_columns /p_language', 'all problems at once'
);
select is(
  pg_temp.problems($$'62000000-0000-4000-8000-000000000009', null, 97, ''$$), '/p_format /p_columns /p_language', 'within bounds'
);
select is(pg_temp.problems(format('%L, null, null', (select id from sold))), '/p_format /p_columns', 'nothing is not a format');
select is(pg_temp.problems(format($$%L, 'text', %s$$, (select id from sold), n)), 'none', n || ' columns') from unnest(array[24, 96]) n;
select throws_ok($$ select public.sale_receipt('62000000-0000-4000-8000-000000000009') $$, 'PT404', 'SALE_NOT_FOUND', 'an unknown sale');
select pg_temp.act_as('cc', 'driver');
select throws_ok($$ select public.sale_receipt('62000000-0000-4000-8000-000000000009') $$, 'PT403', 'FORBIDDEN', 'who is nothing at a till');
select pg_temp.act_as('aa', 'manager');
select alike(public.sale_receipt(id::uuid), '%TAP62-00000%', 'a manager') from sold;
select pg_temp.act_as('aa', null);
set local request.jwt.claims = '{"role": "authenticated"}';
select throws_ok($$ select public.sale_receipt('62000000-0000-4000-8000-000000000009') $$, 'PT401', 'UNAUTHENTICATED', 'and nobody at all');

-- Numbers -------------------------------------------------------------------------------

select pg_temp.act_as(null, null);
select throws_ok(
  $$ insert into interlock.registers (location_id, name, currency, receipt_prefix)
     values ('62100000-0000-4000-8000-000000000001', 'other', 'EUR', 'TAP62') $$,
  '23505', null, 'receipts of two registers do not look alike'
);
select throws_ok(
  $$ update interlock.registers set last_receipt = null where receipt_prefix = 'TAP62' $$, '23502', null, 'a register counts its receipts'
);
select throws_ok(
  $$ insert into interlock.sales (id, register_id, shift_id, location_id, receipt_number, currency, subtotal, discount, tax, tax_included, total)
     select gen_random_uuid(), s.register_id, s.shift_id, s.location_id, null, s.currency, 0, 0, 0, 0, 0
     from interlock.sales s where s.id = (select original::uuid from pair) $$,
  '23502', null, 'and each sale has one'
);

insert into interlock.registers (id, location_id, name, currency)
select ('62300000-0000-4000-8000-00000000000' || n)::uuid, '62100000-0000-4000-8000-000000000001', 'more', 'EUR' from generate_series(2, 3) n;
insert into interlock.shifts (register_id, opening_cash)
select ('62300000-0000-4000-8000-00000000000' || n)::uuid, 10 * n from generate_series(2, 3) n;
select results_eq(
  $$ select interlock.expected_cash(s.id) from interlock.shifts s where s.opening_cash in (20, 30) and s.register_id::text like '62300000%' order by s.opening_cash $$, $$ values (20::bigint), (30) $$,
  'each shift has its own cash'
);

select * from finish();
rollback;

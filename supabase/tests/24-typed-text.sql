-- Text that people type: which texts are the same, and what one line of it may be.

begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(52);

-- The same ------------------------------------------------------------------

select is(interlock.normal_text(t.text), t.normal, format('%s is %s', to_json(t.text), t.normal))
from (values
  ('SPRING', 'spring'),
  (U&' SPRING\00a0', 'spring'),
  (U&'SP\200bRING\feff', 'spring'),
  (E'\tS P R I N G\r\n', 'spring'),
  (U&'spring\3000\2028', 'spring'),
  (U&'CAF\00c9', U&'caf\00e9'),
  (U&'CAFE\0301', U&'caf\00e9'),
  (U&'DANKEF\00dcR100', U&'dankef\00fcr100'),
  (U&'dankefu\0308r100', U&'dankef\00fcr100'),
  (U&'\0130ND\0130R\0130M', 'indirim'),
  (U&'I\0307NDI\0307RI\0307M', 'indirim'),
  (U&'i\0307ndi\0307ri\0307m', 'indirim'),
  (U&'\0131nd\0131r\0131m', 'indirim'),
  ('INDIRIM', 'indirim'),
  (U&'GRO\00df', 'gross'),
  (U&'GRO\1e9e', 'gross'),
  ('GROSS', 'gross'),
  (U&'\ff33\ff21\ff36\ff25\ff15\ff10', 'save50'),
  (U&'\fb01ne', 'fine'),
  (U&'\039f\0394\039f\03a3', U&'\03bf\03b4\03bf\03c2'),
  (U&'\03bf\03b4\03bf\03c3', U&'\03bf\03b4\03bf\03c2'),
  (U&'\200b\00a0 ', ''),
  ('', '')
) as t (text, normal);
select is(interlock.normal_text(null), null, 'no text has none');
select isnt(interlock.normal_text(a), interlock.normal_text(b), format('%s is not %s', a, b))
from (values
  ('SAVE5', 'SAVE50'), (U&'CAF\00c9', 'CAFE'), (U&'F\00dcR', 'FUR'), ('A-B', 'AB'), ('O', '0')
) as t (a, b);

create temporary table letters as
  select chr(n) as c from generate_series(1, 65535) as n where n not between 55296 and 57343;
select is_empty(
  $$
    select c
    from letters
    where interlock.normal_text('a' || upper(c collate "und-x-icu") || 'b') <> interlock.normal_text('a' || c || 'b')
      or interlock.normal_text('a' || lower(c collate "und-x-icu") || 'b') <> interlock.normal_text('a' || c || 'b')
  $$,
  'no letter has a case'
);
select is_empty(
  $$
    select c
    from letters
    where interlock.normal_text('a' || normalize(c, nfd) || 'b') <> interlock.normal_text('a' || c || 'b')
      or interlock.normal_text('a' || normalize(c, nfkd) || 'b') <> interlock.normal_text('a' || c || 'b')
  $$,
  'nor two forms'
);
select is_empty(
  $$
    select c
    from letters
    where interlock.normal_text(interlock.normal_text('a' || c || 'b')) <> interlock.normal_text('a' || c || 'b')
  $$,
  'and a normal form is its own'
);
select is(
  (select provolatile::text || proparallel::text from pg_proc where oid = 'interlock.normal_text(text)'::regprocedure), 'is',
  'an index may stand on it'
);

-- One line ------------------------------------------------------------------

select is(interlock.is_line(t.text, 8), t.is_line, format('%s %s', to_json(left(t.text, 20)), t.is_line))
from (values
  ('a', true),
  ('12345678', true),
  (U&' \00a0\2003 12345678 \3000\0085\000a', true),
  ('1234 678', true),
  (repeat('ü', 8), true),
  ('123456789', false),
  (repeat('ü', 9), false),
  ('', false),
  (' ', false),
  (U&'\00a0\3000', false),
  (U&'\200b', true),
  (U&'a\200bb', true),
  (E'a\nb', false),
  (E'a\tb', false),
  (E'a\x01b', false),
  (E'a\x7f', false),
  (U&'a\0085b', false),
  (U&'a\009f', false)
) as t (text, is_line);
select is(interlock.is_line(null, 8), null, 'no text is none, nor a line');

select * from finish();
rollback;

-- Differences between the books of tills that these sales or registers are in.
--
--   till_sales  of a sale: what its lines have sold, less what came back with it and what was not there, and what the ledger took
--   totals      of a sale: what its lines come to, less what came back, and its total
--   tenders     of a sale: its total with the change, and what was paid (or paid out)
--   receipts    of a register: the receipts it has counted, and its sales
--
-- A sale that is void has sold nothing. An id may be that of no sale: then the ledger has taken something for none. Sales from before
-- p_kept_since are not compared with the ledger, as rows of it may be gone.
--
-- Callers: interlock.find_differences, interlock.correct_till_sale.
-- Locks: none.
create function interlock.find_till_differences(p_sale_ids uuid[], p_register_ids uuid[], p_kept_since timestamptz default null)
returns table (
  kind text, product_id uuid, location_id uuid, subject_id uuid, expected numeric, found numeric, since timestamptz, cause text
)
language sql
stable
set search_path = ''
as $$
  with asked as (
    select distinct u.id, s.id is not null as is_there, s.status, s.location_id, s.recorded_at, s.total, s.change_due
    from unnest(p_sale_ids) as u (id)
    left join interlock.sales s on s.id = u.id
  ),
  books as (
    select a.id, a.is_there, a.recorded_at, l.product_id, a.location_id, l.quantity::numeric as sold, null::numeric as taken
    from asked a
    join interlock.sale_lines l on l.sale_id = a.id
    where a.status = 'completed'
      and not l.untracked
    union all
    select a.id, a.is_there, a.recorded_at, r.product_id, a.location_id, -r.quantity, null
    from asked a
    join interlock.sale_returns r on r.sale_id = a.id
    where a.status = 'completed'
      and r.inventory_id is not null
    union all
    select a.id, a.is_there, a.recorded_at, f.product_id, a.location_id, -f.quantity, null
    from asked a
    join interlock.sale_shortfalls f on f.sale_id = a.id
    where a.status = 'completed'
      and f.taken_at is null
    union all
    select a.id, a.is_there, coalesce(a.recorded_at, m.created_at), m.product_id, m.location_id, null, -m.delta
    from asked a
    join interlock.stock_movements m on m.reference_id = a.id
  )
  select
    'till_sales', b.product_id, b.location_id, b.id, trim_scale(coalesce(sum(b.sold), 0)), trim_scale(coalesce(sum(b.taken), 0)),
    min(b.recorded_at),
    case
      when not bool_or(b.is_there) then 'The ledger has taken units for a sale that is not there: it was removed by hand.'
      else 'The sale, its lines or the ledger were changed past the functions.'
    end
  from books b
  where (b.recorded_at < p_kept_since) is not true
  group by b.product_id, b.location_id, b.id
  having coalesce(sum(b.sold), 0) <> coalesce(sum(b.taken), 0)
  union all
  select
    'totals', null, null, a.id, l.total, a.total, a.recorded_at, 'The sale or its lines were changed past the functions.'
  from asked a
  cross join lateral (
    select
      coalesce((select sum(l.total) from interlock.sale_lines l where l.sale_id = a.id), 0)
        - coalesce((select sum(r.amount) from interlock.sale_returns r where r.sale_id = a.id), 0) as total
  ) l
  where a.total <> l.total
  union all
  select
    'tenders', null, null, a.id, abs(a.total) + a.change_due, t.paid, a.recorded_at,
    'The sale or its tenders were changed past the functions.'
  from asked a
  cross join lateral (
    select coalesce(sum(t.amount), 0) as paid from interlock.sale_tenders t where t.sale_id = a.id
  ) t
  where abs(a.total) + a.change_due <> t.paid
  union all
  select
    'receipts', null, null, r.id, r.last_receipt, s.sales, null,
    case
      when s.highest > r.last_receipt then format('The register has counted to %s, and there is a receipt %s.', r.last_receipt, s.highest)
      else 'A sale was removed past the functions, or the register''s count was changed.'
    end
  from (select distinct u.id from unnest(p_register_ids) as u (id)) a
  join interlock.registers r on r.id = a.id
  cross join lateral (
    select count(*) as sales, max(q.receipt_number) as highest from interlock.sales q where q.register_id = r.id
  ) s
  where r.last_receipt <> s.sales
    or s.highest > r.last_receipt
$$;

-- Take back so much of lines of a sale, and count it there. What the first so many units of a line come to is its share of what
-- the line had cost, half a minor unit rounded up; a part is that less what has been given back before. Answers also whose it was.
--
-- Callers: interlock.take_returns.
-- Locks: the sale and the one with which it began, by id.
-- Errors: SALE_NOT_FOUND, SALE_VOIDED, MIXED_CURRENCIES, VALIDATION_FAILED, RETURN_EXCEEDS_SOLD with every line of which too much comes
--   back; 55P03 after lock_timeout.
create function interlock.take_receipted_returns(
  p_returns jsonb,
  p_original_id uuid,
  p_sale_id uuid,
  p_register interlock.registers,
  out o_returns interlock.sale_returns[],
  out o_root_sale_id uuid,
  out o_customer_id uuid
)
language plpgsql
set search_path = ''
as $$
declare
  v_online constant boolean := p_register.location_id = interlock.online_location();
  v_original interlock.sales;
  v_problems jsonb;
  v_excess jsonb;
begin
  select coalesce(s.root_sale_id, s.id) into o_root_sale_id from interlock.sales s where s.id = p_original_id;
  if not found then
    perform interlock.raise_error('SALE_NOT_FOUND', jsonb_build_object('sale_id', p_original_id));
  end if;
  perform interlock.lock_sales(array[p_original_id, o_root_sale_id]);
  select s.* into v_original from interlock.sales s where s.id = p_original_id;
  o_customer_id := interlock.live_customer(v_original.customer_id);

  if v_original.status = 'voided' then
    perform interlock.raise_error('SALE_VOIDED', jsonb_build_object(
      'sale_id', p_original_id, 'voided_at', v_original.voided_at
    ));
  end if;
  if v_original.currency <> p_register.currency then
    perform interlock.raise_error('MIXED_CURRENCIES', jsonb_build_object('currencies', (
      select jsonb_agg(c.code order by c.code) from unnest(array[v_original.currency, p_register.currency]::text[]) as c (code)
    )));
  end if;

  select jsonb_agg(interlock.problem(format('/returns/%s%s', e.n - 1, b.member), b.message) -> 0 order by e.n)
  into v_problems
  from rows from (jsonb_to_recordset(p_returns) as (line int, quantity numeric, restock boolean))
    with ordinality as e (line, quantity, restock, n)
  left join interlock.sale_lines l on l.sale_id = p_original_id and l.line = e.line
  left join interlock.products p on p.id = l.product_id
  cross join lateral (
    select '/line' as member, 'is no line of the sale' as message
    where l.line is null
    union all
    select '/quantity', 'must be a whole number: it goes to the web shop''s stock, which is in whole units'
    where v_online and e.restock is not false and p.stock_policy <> 'untracked' and e.quantity <> trunc(e.quantity)
    union all
    select '/quantity', format('must have at most %s decimals, as the product has', d.decimals)
    from (select greatest(p.decimals, scale(trim_scale(l.quantity))) as decimals) d
    where e.quantity <> round(e.quantity, d.decimals)
  ) b;
  perform interlock.refuse_problems(coalesce(v_problems, '[]'));

  select jsonb_agg(
    jsonb_build_object(
      'line', l.line,
      'sold', trim_scale(l.quantity),
      'returned', trim_scale(l.returned_quantity),
      'requested', trim_scale(e.quantity)
    )
    order by l.line
  )
  into v_excess
  from (
    select r.line, sum(r.quantity) as quantity
    from jsonb_to_recordset(p_returns) as r (line int, quantity numeric)
    group by r.line
  ) e
  join interlock.sale_lines l on l.sale_id = p_original_id and l.line = e.line
  where e.quantity > l.quantity - l.returned_quantity;
  if v_excess is not null then
    perform interlock.raise_error('RETURN_EXCEEDS_SOLD', jsonb_build_object('sale_id', p_original_id, 'lines', v_excess));
  end if;

  select array_agg(jsonb_populate_record(null::interlock.sale_returns, jsonb_build_object(
    'sale_id', p_sale_id,
    'n', x.n - 1,
    'original_sale_id', p_original_id,
    'original_line', x.line,
    'product_id', x.product_id,
    'name', x.name,
    'quantity', x.quantity,
    'unit_price', x.unit_price,
    'tax', x.tax_through - coalesce(x.tax_before, x.returned_tax),
    'amount', x.through - coalesce(x.before, x.returned_amount),
    'restock', x.restock,
    'reason', x.reason
  )))
  into o_returns
  from (
    select
      t.*,
      lag(t.through) over entries as before,
      lag(t.tax_through) over entries as tax_before
    from (
      select c.*, greatest(c.returned_tax, interlock.share_of(c.tax, c.through, c.total)) as tax_through
      from (
        select
          e.n, e.quantity, coalesce(e.restock, true) as restock, e.reason,
          l.line, l.product_id, l.name, l.unit_price, l.tax, l.total, l.returned_amount, l.returned_tax,
          -- A part that was voided may leave the others with more than their share.
          greatest(l.returned_amount, interlock.share_of(
            l.total,
            (1000 * (l.returned_quantity + sum(e.quantity) over (partition by e.line order by e.n)))::bigint,
            (1000 * l.quantity)::bigint
          )) as through
        from rows from (jsonb_to_recordset(p_returns) as (line int, quantity numeric, restock boolean, reason text))
          with ordinality as e (line, quantity, restock, reason, n)
        join interlock.sale_lines l on l.sale_id = p_original_id and l.line = e.line
      ) c
    ) t
    window entries as (partition by t.line order by t.n)
  ) x;

  update interlock.sale_lines l
  set returned_quantity = l.returned_quantity + r.quantity,
      returned_amount = l.returned_amount + r.amount,
      returned_tax = l.returned_tax + r.tax
  from (
    select e.original_line, sum(e.quantity) as quantity, sum(e.amount) as amount, sum(e.tax) as tax
    from unnest(o_returns) as e
    group by e.original_line
  ) r
  where l.sale_id = p_original_id
    and l.line = r.original_line;
end
$$;

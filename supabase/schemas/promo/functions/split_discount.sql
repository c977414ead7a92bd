-- Share a discount between the lines of a cart in proportion to their amounts. Each line gets the whole minor
-- units of its share; what is left goes one by one to the largest remainders, the first line first among
-- equals. The shares sum exactly to the discount, and no share exceeds its line.
--
-- Callers: interlock.validate_promo, interlock.redeem_promo.
-- Locks: none. Expects 0 <= discount <= sum of the amounts.
create function interlock.split_discount(p_discount bigint, p_amounts bigint[])
returns bigint[]
language plpgsql
immutable
set search_path = ''
as $$
begin
  if cardinality(p_amounts) = 1 then
    return array[p_discount];
  end if;
  return (
    with parts as (
      select
        a.n,
        div(p_discount * a.amount::numeric, t.total) as whole,
        mod(p_discount * a.amount::numeric, t.total) as remainder
      from unnest(p_amounts) with ordinality as a (amount, n)
      -- A total of zero shares a discount of zero.
      cross join (select greatest(sum(s.amount), 1) as total from unnest(p_amounts) as s (amount)) t
    ),
    ranked as (
      select
        p.n,
        p.whole,
        row_number() over (order by p.remainder desc, p.n) as place,
        p_discount - sum(p.whole) over () as left_over
      from parts p
    )
    select coalesce(
      array_agg((r.whole + case when r.place <= r.left_over then 1 else 0 end)::bigint order by r.n),
      '{}'
    )
    from ranked r
  );
end
$$;

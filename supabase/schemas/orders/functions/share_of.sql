-- The share of an amount that falls to a part of something, half a minor unit rounded up; nothing of nothing.
--
-- Exact: one division of whole numbers, in which nothing is rounded before the end.
--
-- Callers: interlock.line_through, interlock.take_receipted_returns, interlock.share_by_points.
create function interlock.share_of(p_amount bigint, p_part bigint, p_whole bigint)
returns bigint
language plpgsql
immutable
set search_path = ''
as $$
begin
  return case when p_whole = 0 then 0 else div(2 * p_amount::numeric * p_part + p_whole, 2 * p_whole) end::bigint;
end
$$;

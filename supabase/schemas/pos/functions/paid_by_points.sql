-- How much of what the lines of a sale cost is paid with points: by its own tenders (or less what they pay out), and by those of
-- the sale whose goods come back with it, in the part of it that they are worth.
--
-- Callers: interlock.make_sale, interlock.share_by_points.
-- Locks: none.
create function interlock.paid_by_points(p_total bigint, p_returned bigint, p_by_points bigint, p_original_id uuid)
returns bigint
language plpgsql
stable
set search_path = ''
as $$
begin
  return greatest(0, least(
    p_total + p_returned,
    case when p_total < 0 then -p_by_points else p_by_points end
      + case when p_original_id is null then 0 else interlock.share_by_points(p_original_id, p_returned) end
  ));
end
$$;

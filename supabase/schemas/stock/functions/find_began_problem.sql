-- What is wrong with when a count began, in words; null if nothing is. What was sold since then has to be in the ledger.
--
-- Callers: interlock.find_inventory_problems, interlock.find_member_problem.
create function interlock.find_began_problem(p_began_at timestamptz)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return case
    when p_began_at > clock_timestamp() then 'must not be in the future'
    when p_began_at < interlock.clock() - (select s.keep_stock_movements from interlock.settings s) then
      'must not be before what the ledger has kept (settings.keep_stock_movements)'
  end;
end
$$;

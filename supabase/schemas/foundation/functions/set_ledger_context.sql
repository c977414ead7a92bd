-- Say why the stock and wallets that change from here on do so. The setting ends with the transaction; set it
-- to null when you are done.
create function interlock.set_ledger_context(p_reason text, p_reference_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
declare
  -- An assignment costs a fourth of a PERFORM. @plpgsql_check_options: extra_warnings = false
  v_set text;
begin
  v_set := set_config('interlock.reason', coalesce(p_reason, ''), true);
  v_set := set_config('interlock.reference_id', coalesce(p_reference_id::text, ''), true);
end
$$;

-- The body PostgREST makes of an error of the catalogue, without raising it.
--
-- Callers: interlock.refuse_unknown_promo, interlock.manage_inventory, interlock.set_packed_quantity.
create function interlock.error_body(p_code text, p_detail jsonb default null)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_state text;
  v_message text;
  v_detail text;
  v_hint text;
begin
  perform interlock.raise_error(p_code, p_detail);
  return null;
exception
  when others then
    get stacked diagnostics
      v_state = returned_sqlstate,
      v_message = message_text,
      v_detail = pg_exception_detail,
      v_hint = pg_exception_hint;
    return jsonb_build_object(
      'code', v_state, 'message', v_message, 'details', nullif(v_detail, ''), 'hint', v_hint
    );
end
$$;

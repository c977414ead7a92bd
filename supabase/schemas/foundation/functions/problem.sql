-- One problem of a request, as a list: `v_problems := v_problems || interlock.problem('/quantity', 'is required')`.
create function interlock.problem(p_pointer text, p_message text)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
begin
  return jsonb_build_array(jsonb_build_object('pointer', p_pointer, 'message', p_message));
end
$$;

-- Do what interlock.change_inventory does once for each key, and once for each reference of an action, and answer what
-- public.manage_inventory answers.
--
-- Callers: interlock.manage_inventory, in a sub-transaction of its own.
-- Locks: the key, the reference; then as interlock.change_inventory.
-- Errors: IDEMPOTENCY_KEY_REUSED, and as interlock.change_inventory.
create function interlock.change_inventory_once(
  p_action text,
  p_lines jsonb,
  p_reason text,
  p_reference text,
  p_transfer_id uuid,
  p_in_transit boolean,
  p_began_at timestamptz,
  p_rebase boolean,
  p_idempotency_key text
)
returns json
language plpgsql
set search_path = ''
as $$
declare
  v_operation constant text := 'inventory_' || p_action;
  v_request constant jsonb := jsonb_build_array(
    p_action,
    case when p_rebase then interlock.rebased_lines(p_lines) else p_lines end,
    p_reason,
    p_began_at,
    p_transfer_id,
    p_in_transit is true
  );
  v_answer text := interlock.begin_idempotent('manage_inventory', p_idempotency_key, v_request || jsonb_build_array(p_reference));
begin
  if v_answer is not null then
    return v_answer::json;
  end if;

  v_answer := interlock.begin_idempotent(v_operation, p_reference, v_request, null, true);
  if v_answer is null then
    perform set_config('interlock.reference', coalesce(p_reference, ''), true);
    v_answer := case
      when p_action = 'transfer' or p_transfer_id is not null then
        interlock.change_transfer(p_action, p_lines, p_reason, p_transfer_id, p_in_transit)
      else json_build_object(
        'success', true,
        'action', p_action,
        'lines', interlock.change_inventory(p_action, p_lines, p_reason, p_began_at)
      )
    end;
    perform set_config('interlock.reference', '', true);
    perform interlock.finish_idempotent(v_operation, p_reference, v_answer, true);
  end if;

  perform interlock.finish_idempotent('manage_inventory', p_idempotency_key, v_answer);
  return v_answer::json;
end
$$;

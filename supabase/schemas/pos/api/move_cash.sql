create function public.move_cash(p_shift_id uuid, p_kind text, p_amount bigint, p_reason text, p_reference text)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.move_cash(p_shift_id, p_kind, p_amount, p_reason, p_reference);
end
$$;

comment on function public.move_cash(uuid, text, bigint, text, text) is
  'Puts cash into a drawer (paid_in) or takes it out (paid_out), once for each reference. For whoever works at a till, and the service role.';

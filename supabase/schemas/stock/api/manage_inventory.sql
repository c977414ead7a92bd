create function public.manage_inventory(
  p_action text,
  p_lines jsonb default null,
  p_reason text default null,
  p_reference text default null,
  p_transfer_id uuid default null,
  p_in_transit boolean default null,
  p_began_at timestamptz default null,
  p_rebase boolean default null,
  p_idempotency_key text default null
)
returns json
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.manage_inventory(
    p_action, p_lines, p_reason, p_reference, p_transfer_id, p_in_transit, p_began_at, p_rebase, p_idempotency_key
  );
end
$$;

comment on function public.manage_inventory(text, jsonb, text, text, uuid, boolean, timestamptz, boolean, text) is
  'Reads the stock of products at locations with its versions, or changes it: up to 100 lines, all or nothing. For staff and the service role.';

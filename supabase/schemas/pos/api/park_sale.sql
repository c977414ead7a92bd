create function public.park_sale(
  p_register_id uuid,
  p_name text,
  p_lines jsonb,
  p_customer jsonb default null,
  p_hold boolean default null,
  p_expires_at timestamptz default null,
  p_parked_sale_id uuid default null,
  p_reference text default null
)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.park_sale(p_register_id, p_name, p_lines, p_customer, p_hold, p_expires_at, p_parked_sale_id, p_reference);
end
$$;

comment on function public.park_sale(uuid, text, jsonb, jsonb, boolean, timestamptz, uuid, text) is
  'Puts a cart aside, for any till of the location, and keeps its goods for it if that is asked for. For whoever works at a till, and the service role.';

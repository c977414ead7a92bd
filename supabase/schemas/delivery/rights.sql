-- Who may call what of delivery. What is not here belongs to its owner.
revoke execute on all functions in schema interlock from public;
revoke all on function
  public.assign_batch(uuid, uuid, text),
  public.claim_route(uuid, text, text)
from public, anon, authenticated, service_role;

grant execute on function
  public.assign_batch(uuid, uuid, text), interlock.assign_batch,
  public.claim_route(uuid, text, text), interlock.claim_route
to authenticated, service_role;

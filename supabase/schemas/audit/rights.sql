-- Who may call what of audits. What is not here belongs to its owner.
revoke execute on all functions in schema interlock from public;
revoke all on function
  public.accept_finding(uuid, text, text),
  public.audit_inventory(boolean),
  public.resolve_finding(uuid, text)
from public, anon, authenticated, service_role;

grant execute on function
  -- Staff by token; anybody else is refused.
  public.accept_finding(uuid, text, text), interlock.accept_finding,
  public.resolve_finding(uuid, text), interlock.resolve_finding
to authenticated, service_role;

grant execute on function
  public.audit_inventory(boolean), interlock.audit_inventory
to service_role;

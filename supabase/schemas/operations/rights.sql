-- Who may call what of operations. What is not here belongs to its owner.
revoke execute on all functions in schema interlock from public;
revoke all on function public.metrics() from public, anon, authenticated, service_role;

grant execute on function
  -- By token: metrics or staff; anybody else is refused.
  public.metrics(), interlock.metrics
to authenticated, service_role;

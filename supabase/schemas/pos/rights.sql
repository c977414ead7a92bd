-- Who may call what of tills. What is not here belongs to its owner.
revoke execute on all functions in schema interlock from public;

-- Policies ask; the shop writes customers, whose index asks for the form of a phone number.
grant execute on function interlock.till_role to authenticated;
grant execute on function interlock.normal_phone to service_role;

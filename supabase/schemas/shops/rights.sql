-- Who may call what of shops. What is not here belongs to its owner.
revoke execute on all functions in schema interlock from public;

-- Policies and defaults ask, as whoever reads or writes.
grant execute on function interlock.shop_id to anon, authenticated, service_role;

grant execute on function interlock.add_shop, interlock.set_shop to service_role;

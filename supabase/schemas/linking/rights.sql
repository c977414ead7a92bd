-- Who may call what of linked tables. What is not here belongs to its owner: links are made in migrations and the SQL editor.
revoke execute on all functions in schema interlock from public;

grant execute on function interlock.customer_drift to service_role;
grant execute on function interlock.order_drift to service_role;
grant execute on function interlock.product_drift to service_role;

-- Take away what interlock.make_link_triggers has made.
--
-- Callers: interlock.unlink_products, interlock.unlink_customers.
-- Locks: the table against everybody.
create function interlock.drop_link_triggers(p_source regclass)
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform interlock.let_shops_go(p_source);
  execute format(
    $sql$
      drop trigger if exists interlock_linked_insert on %1$s;
      drop trigger if exists interlock_linked_update on %1$s;
      drop trigger if exists interlock_linked_delete on %1$s;
      drop trigger if exists interlock_linked_truncate on %1$s;
    $sql$,
    interlock.source_name(p_source)
  );
end
$$;

-- Make the triggers on a table of the shop's own that note what its statements change.
--
-- Callers: interlock.link_products, interlock.link_customers.
-- Locks: the table against writing.
create function interlock.make_link_triggers(p_source regclass, p_function text)
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform interlock.let_shops_reach(p_source);
  execute format(
    $sql$
      create trigger interlock_linked_insert after insert on %1$s
        referencing new table as new_rows
        for each statement execute function interlock.%2$I();
      create trigger interlock_linked_update after update on %1$s
        referencing old table as old_rows new table as new_rows
        for each statement execute function interlock.%2$I();
      create trigger interlock_linked_delete after delete on %1$s
        referencing old table as old_rows
        for each statement execute function interlock.%2$I();
      create trigger interlock_linked_truncate before truncate on %1$s
        for each statement execute function interlock.%2$I();
    $sql$,
    interlock.source_name(p_source), p_function
  );
end
$$;

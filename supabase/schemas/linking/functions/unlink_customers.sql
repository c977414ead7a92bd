-- End the link of a table of the shop's own to the customers: its triggers go, and what it has stays as it is; so do the customers.
-- Which row is which customer is kept for the next link, unless p_forget is true. A table that is gone is named by the number that
-- interlock.customer_drift tells.
--
-- Callers: postgres; the rollback.
-- Locks: the shop's table against everybody, waiting two seconds; customers against everybody with the last link that clears or deletes.
-- Errors: VALIDATION_FAILED if it is not linked; 55P03 is transient.
create function interlock.unlink_customers(p_source regclass, p_forget boolean default false)
returns jsonb
language plpgsql
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_link interlock.customer_links;
  v_source constant text := interlock.source_name(p_source);
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  select l.* into v_link from interlock.customer_links l where l.source = p_source for update;
  if not found then
    perform interlock.refuse_problems(interlock.problem('/p_source', 'is not linked'));
  end if;

  if v_source is not null then
    perform interlock.drop_link_triggers(p_source);
  end if;
  update interlock.customer_links l
  set active = false,
      filled_to = null,
      filled_at = null
  where l.id = v_link.id;
  update interlock.linked_customers m
  set filled = false,
      to_erase = false
  where m.link_id = v_link.id
    and (m.filled or m.to_erase);
  if p_forget then
    delete from interlock.customer_links l where l.id = v_link.id;
  end if;
  if not exists (select from interlock.customer_links l where l.active and l.on_erase <> 'keep') then
    drop trigger if exists customers_erased_rows on interlock.customers;
  end if;
  return jsonb_build_object('success', true, 'source', v_source);
end
$$;

-- End the link of a table of the shop's own: its triggers go, and what it has stays as it is; so do the products, which can be
-- sold on. Stock that is still to be written to the shop's column is written first. Which row is which product is kept for the
-- next link, unless p_forget is true. A table that is gone is named by the number that interlock.product_drift tells.
--
-- Callers: postgres; the rollback.
-- Locks: the shop's table against everybody, waiting two seconds; products against everybody with the last link that writes
--   back.
-- Errors: VALIDATION_FAILED if it is not linked; 55P03 is transient.
create function interlock.unlink_products(p_source regclass, p_forget boolean default false)
returns jsonb
language plpgsql
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_link interlock.product_links;
  v_source constant text := interlock.source_name(p_source);
  v_unwritten bigint;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  select l.* into v_link from interlock.product_links l where l.source = p_source for update;
  if not found then
    perform interlock.refuse_problems(interlock.problem('/p_source', 'is not linked'));
  end if;

  if v_source is not null then
    perform interlock.drop_link_triggers(p_source);
    perform interlock.write_back_stock(w.product_id)
    from interlock.stock_write_backs w
    where w.link_id = v_link.id
    order by w.product_id;
  end if;
  delete from interlock.stock_write_backs w where w.link_id = v_link.id;
  get diagnostics v_unwritten = row_count;

  update interlock.product_links l
  set active = false,
      filled_to = null,
      filled_at = null
  where l.id = v_link.id;
  update interlock.linked_products m
  set filled = false
  where m.link_id = v_link.id
    and m.filled;
  if p_forget then
    delete from interlock.product_links l where l.id = v_link.id;
  end if;
  if not exists (select from interlock.product_links l where l.active and l.write_back) then
    drop trigger if exists products_written_back on interlock.products;
  end if;
  return jsonb_build_object('success', true, 'source', v_source, 'not_written_back', v_unwritten);
end
$$;

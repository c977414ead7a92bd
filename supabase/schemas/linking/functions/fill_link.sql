-- Take over some more of the rows that were in a linked table before it was linked, p_limit of them at most, while the shop goes
-- on. Each call does what is left, in the order of the keys; rows that somebody holds are passed over and looked for again at
-- the end. Call it until `filled` is true; a job does so every minute. With p_again it begins again with all rows: they are
-- taken over once more, products whose row is gone become inactive, and the stock of Interlock is written back where that
-- is wanted. So ends whatever interlock.product_drift has found.
--
-- Callers: interlock.fill_links, interlock.link_products; postgres.
-- Locks: the link; rows of the shop's table, never waiting; products as interlock.bring_products.
-- Errors: as interlock.bring_products; VALIDATION_FAILED if the table is not linked; 55P03 is transient.
create function interlock.fill_link(p_source regclass, p_limit int default 1000, p_again boolean default false)
returns jsonb
language plpgsql
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_link interlock.product_links;
  v_source constant text := interlock.source_name(p_source);
  v_ids text[];
  v_left bigint;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  select l.* into v_link from interlock.product_links l where l.source = p_source and l.active for no key update;
  if not found then
    perform interlock.refuse_problems(interlock.problem('/p_source', 'is not linked: interlock.link_products links it'));
  end if;

  if p_again then
    update interlock.linked_products m set filled = false where m.link_id = v_link.id;
    v_link.filled_to := null;
    execute format(
      $sql$
        select array_agg(m.source_id order by m.source_id)
        from interlock.linked_products m
        join interlock.products p on p.id = m.product_id and p.active
        where m.link_id = $1
          and not exists (select from %s s where s.%I::text = m.source_id)
      $sql$,
      v_source, v_link.id_column
    ) into v_ids using v_link.id;
    if v_ids is not null then
      perform interlock.bring_products(v_link, v_ids, array_fill(0::numeric, array[cardinality(v_ids)]));
    end if;
  end if;

  v_ids := interlock.next_to_fill(
    'linked_products', v_link.id, p_source, v_link.id_column, v_link.id_type, v_link.filled_to, p_limit
  );
  if v_ids is not null then
    perform interlock.bring_products(v_link, v_ids, array_fill(0::numeric, array[cardinality(v_ids)]));
  end if;
  v_left := interlock.left_to_fill('linked_products', v_link.id, p_source, v_link.id_column);

  update interlock.product_links l
  set filled_to = v_ids[cardinality(v_ids)],
      filled_at = case when v_left = 0 then coalesce(l.filled_at, now()) end
  where l.id = v_link.id;
  return jsonb_build_object(
    'success', true, 'source', v_source, 'done', coalesce(cardinality(v_ids), 0), 'left', v_left, 'filled', v_left = 0
  );
end
$$;

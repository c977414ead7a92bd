-- Write orders to a table of the shop's own: from then on a row is there in the same transaction as the order, and has what becomes of
-- it. With p_dry_run it only says what is in the way: rows in every state are tried, and undone.
--
--   p_map    {"id": COLUMN, …}: which field goes into which column (interlock.order_fields); "unit": "major" or "minor" for money;
--            {"column": "state", "as": {"pending_payment": "pending"}} where the shop has other words
--   p_since  orders that were placed earlier are left out
--   p_fill   how many of the orders that are there are written at once; a job does the rest
--
-- It makes triggers, so it is for migrations and the SQL editor.
--
-- Callers: postgres.
-- Locks: orders and their details against writing, waiting two seconds, with the first link; the link; as interlock.fill_orders.
-- Errors: VALIDATION_FAILED with everything that is in the way; 55P03 is transient.
create function interlock.link_orders(
  p_target regclass,
  p_map jsonb,
  p_since timestamptz default '-infinity',
  p_dry_run boolean default false,
  p_fill int default 1000,
  p_search_path text default current_setting('search_path')
)
returns jsonb
language plpgsql
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_target constant text := interlock.source_name(p_target);
  v_problems jsonb := interlock.find_order_link_problems(p_target, p_map);
  v_link interlock.order_links;
  v_orders bigint;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  if p_since is null then
    v_problems := v_problems || interlock.problem('/p_since', 'must be a time');
  end if;
  if exists (select from interlock.order_links l where l.target = p_target) then
    v_problems := v_problems || interlock.problem(
      '/p_target', format('is linked: select interlock.unlink_orders(%L) ends that', v_target)
    );
  end if;
  if v_problems = '[]' then
    v_link.id := interlock.new_id();
    v_link.target := p_target;
    v_link.map := p_map;
    v_link.since := p_since;
    v_link.target_search_path := p_search_path;
    v_link.created_at := now();
    v_problems := interlock.find_order_trial_problems(v_link);
    select count(*) into v_orders from interlock.orders o where o.created_at >= p_since;
  end if;
  if p_dry_run then
    return jsonb_build_object(
      'success', v_problems = '[]', 'dry_run', true, 'target', v_target, 'problems', v_problems, 'orders', v_orders
    );
  end if;
  perform interlock.refuse_problems(v_problems);

  perform interlock.let_shops_reach(p_target);
  if not exists (select from interlock.order_links) then
    create constraint trigger orders_linked_insert after insert on interlock.orders
      deferrable initially deferred for each row
      execute function interlock.write_linked_order();
    create constraint trigger orders_linked_update after update on interlock.orders
      deferrable initially deferred for each row when (old.* is distinct from new.*)
      execute function interlock.write_linked_order();
    create constraint trigger order_details_linked after insert or update on interlock.order_details
      deferrable initially deferred for each row
      execute function interlock.write_linked_order();
  end if;
  insert into interlock.order_links select v_link.*;
  return interlock.fill_orders(p_target, p_fill) || jsonb_build_object('dry_run', false, 'problems', v_problems, 'orders', v_orders);
end
$$;

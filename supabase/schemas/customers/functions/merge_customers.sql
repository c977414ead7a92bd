-- What public.merge_customers does, with its owner's rights: make one customer of two. Points with their ledger and the account of
-- the web shop go to p_into, whose own name, phone and e-mail stay and are filled in where they are missing. p_from
-- keeps its id alone, under which p_into is found, also by its sales: they are left as they are, so that no void of one waits here. Called again it answers the same.
--
-- Callers: authenticated (managers, staff) and service_role, through public.merge_customers.
-- Locks: as interlock.lock_points, both in the order of their ids; then both customers. Two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, CUSTOMER_NOT_FOUND, CUSTOMER_LINKED (both have an account); 55P03 and 40P01
--   are transient and nothing has happened.
-- Security definer: nobody has the right to write customers.
create function interlock.merge_customers(p_from uuid, p_into uuid)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_problems jsonb := jsonb '[]';
  v_into uuid;
  v_from interlock.customers;
  v_account interlock.points_accounts;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  if interlock.require_till() <> 'manager' then
    perform interlock.raise_error('FORBIDDEN');
  end if;
  if p_from is null then
    v_problems := v_problems || interlock.problem('/p_from', 'is required');
  end if;
  if p_into is null or p_into = p_from then
    v_problems := v_problems || interlock.problem('/p_into', 'must be the id of another customer');
  end if;
  perform interlock.refuse_problems(v_problems);

  v_into := interlock.live_customer(p_into);
  if v_into is null or not exists (select from interlock.customers c where c.id = p_from and c.erased_at is null) then
    perform interlock.raise_error('CUSTOMER_NOT_FOUND');
  end if;

  perform interlock.lock_points(u.id)
  from (select i.id from unnest(array[p_from, v_into]) as i (id) order by i.id) u;
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  perform 1 from interlock.customers c where c.id in (p_from, v_into) order by c.id for no key update;
  select c.* into v_from from interlock.customers c where c.id = p_from;
  if v_from.merged_into = v_into then
    return jsonb_build_object('success', true, 'customer', interlock.customer_to_json(v_into));
  end if;
  if v_from.merged_into is not null or v_from.erased_at is not null or interlock.live_customer(v_into) is distinct from v_into then
    perform interlock.raise_error('CUSTOMER_NOT_FOUND');
  end if;
  if v_from.user_id is not null
    and exists (select from interlock.customers c where c.id = v_into and c.user_id is not null)
  then
    perform interlock.raise_error('CUSTOMER_LINKED', jsonb_build_object('customer_id', v_into));
  end if;

  update interlock.customers c
  set name = null,
      phone = null,
      email = null,
      user_id = null,
      merged_into = v_into
  where c.id = p_from;
  update interlock.customers c set merged_into = v_into where c.merged_into = p_from;
  update interlock.customers c
  set name = coalesce(c.name, v_from.name),
      phone = coalesce(c.phone, v_from.phone),
      email = coalesce(c.email, v_from.email),
      user_id = coalesce(c.user_id, v_from.user_id),
      marketing = c.marketing and v_from.marketing
  where c.id = v_into;

  update interlock.points_movements m set customer_id = v_into where m.customer_id = p_from;
  delete from interlock.points_accounts a where a.customer_id = p_from returning * into v_account;
  update interlock.points_accounts a
  set balance = a.balance + v_account.balance,
      owed = a.owed + v_account.owed
  where a.customer_id = v_into;
  -- What one owed the other has.
  insert into interlock.points_movements (customer_id, kind, points, owed, balance_after, actor)
  select v_into, 'merged', -least(a.balance, a.owed), -least(a.balance, a.owed), a.balance - least(a.balance, a.owed), auth.uid()
  from interlock.points_accounts a
  where a.customer_id = v_into
    and least(a.balance, a.owed) > 0;
  update interlock.points_accounts a
  set balance = a.balance - least(a.balance, a.owed),
      owed = a.owed - least(a.balance, a.owed)
  where a.customer_id = v_into;
  perform interlock.settle_tier(v_into);
  perform interlock.note_customer(v_into);
  return jsonb_build_object('success', true, 'customer', interlock.customer_to_json(v_into));
end
$$;

-- What public.link_customer does, with its owner's rights: say which account of the web shop a customer has, or with null that it
-- is none. From then on its wallet pays at the till, its orders earn points, and who is signed in sees their points.
--
-- Callers: authenticated (managers, staff) and service_role, through public.link_customer.
-- Locks: the account; as interlock.lock_points; the customer; the account in the index of customers. Two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, CUSTOMER_NOT_FOUND, USER_NOT_FOUND, CUSTOMER_LINKED (the account is another
--   customer's); 55P03 is transient.
-- Security definer: nobody has the right to write customers.
create function interlock.link_customer(p_customer_id uuid, p_user_id uuid)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_id uuid;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  if interlock.require_till() <> 'manager' then
    perform interlock.raise_error('FORBIDDEN');
  end if;
  if p_customer_id is null then
    perform interlock.refuse_problems(interlock.problem('/p_customer_id', 'is required'));
  end if;
  v_id := interlock.live_customer(p_customer_id);
  if v_id is null then
    perform interlock.raise_error('CUSTOMER_NOT_FOUND');
  end if;
  if p_user_id is not null and not interlock.lock_user(p_user_id) then
    perform interlock.raise_error('USER_NOT_FOUND', jsonb_build_object('user_id', p_user_id));
  end if;

  -- What the orders of the account that they had so far have earned is theirs.
  v_id := (interlock.lock_points(v_id)).customer_id;
  begin
    update interlock.customers c
    set user_id = p_user_id
    where c.id = v_id
      and c.erased_at is null
      and c.merged_into is null;
    if not found then
      perform interlock.raise_error('CUSTOMER_NOT_FOUND');
    end if;
  exception
    when unique_violation then
      perform interlock.raise_error('CUSTOMER_LINKED', jsonb_build_object('customer_id', (
        select c.id from interlock.customers c where c.user_id = p_user_id
      )));
  end;
  perform interlock.note_customer(v_id);
  return jsonb_build_object('success', true, 'customer', interlock.customer_to_json(v_id), 'user_id', p_user_id);
end
$$;

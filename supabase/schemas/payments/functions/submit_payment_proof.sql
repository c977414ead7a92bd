-- What public.submit_payment_proof does, with its owner's rights. The first proof that waits for the shop gives it
-- settings.review_window to decide; a further one does not make that longer.
--
-- Callers: authenticated and service_role, through public.submit_payment_proof.
-- Locks: the buyer's account, the order, two seconds at most.
-- Errors: UNAUTHENTICATED, VALIDATION_FAILED (path outside the buyer's folder of this order, not the name of a document
--   or picture, or no such file where the storage schema exists), ORDER_NOT_FOUND, ORDER_STATE_CONFLICT,
--   TOO_MANY_PROOFS; 55P03 is transient.
-- Security definer: nobody has the right to write orders and proofs.
create function interlock.submit_payment_proof(p_order_id uuid, p_object_path text)
returns json
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
declare
  v_user_id constant uuid := auth.uid();
  v_folder constant text := format('%s/%s/', v_user_id, p_order_id);
  v_problem text;
  v_status text;
  v_limit int;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  perform interlock.require_user();

  if p_order_id is null then
    perform interlock.refuse_problems(interlock.problem('/p_order_id', 'is required'));
  end if;

  if not exists (select 1 from interlock.orders o where o.id = p_order_id and o.user_id = v_user_id) then
    perform interlock.raise_error('ORDER_NOT_FOUND', jsonb_build_object('order_id', p_order_id));
  end if;

  if (starts_with(p_object_path, v_folder) and interlock.is_proof_path(p_object_path)) is not true then
    v_problem := 'must be the path of a pdf, jpg, jpeg, png, webp or heic file in ' || v_folder;
  elsif not exists (select from interlock.stored_proofs(null, array[p_object_path])) then
    v_problem := 'is not the path of an uploaded file';
  end if;

  if v_problem is not null then
    perform interlock.refuse_problems(interlock.problem('/p_object_path', v_problem));
  end if;

  v_status := interlock.lock_order(p_order_id);
  -- It may have moved to another account meanwhile.
  if not exists (select 1 from interlock.orders o where o.id = p_order_id and o.user_id = v_user_id) then
    perform interlock.raise_error('ORDER_NOT_FOUND', jsonb_build_object('order_id', p_order_id));
  end if;

  if not exists (
    select 1
    from interlock.payment_proofs f
    where f.order_id = p_order_id
      and f.object_path = p_object_path
  ) then
    if v_status <> 'pending_payment' then
      perform interlock.raise_error(
        'ORDER_STATE_CONFLICT', jsonb_build_object('order_id', p_order_id, 'status', v_status)
      );
    end if;

    select s.max_payment_proofs into v_limit from interlock.settings s;
    if (select count(*) from interlock.payment_proofs f where f.order_id = p_order_id) >= v_limit then
      perform interlock.raise_error(
        'TOO_MANY_PROOFS', jsonb_build_object('order_id', p_order_id, 'max_payment_proofs', v_limit)
      );
    end if;

    update interlock.orders o
    set proof_submitted_at = interlock.clock(),
        payment_expires_at = case
          when o.proof_submitted_at is not null then o.payment_expires_at
          -- Never before the time that the buyer has for paying.
          when s.review_window is not null then greatest(o.payment_expires_at, interlock.clock() + s.review_window)
        end
    from interlock.settings s
    where o.id = p_order_id;

    insert into interlock.payment_proofs (order_id, object_path)
    values (p_order_id, p_object_path);
  end if;

  return interlock.order_answer(p_order_id);
end
$$;

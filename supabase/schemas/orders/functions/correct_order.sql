-- What public.correct_order does, with its owner's rights: another address, contact or metadata for an order, each as a
-- whole; what is null stays. An address is corrected until all goods are shipped, a contact until the order is at its
-- end, metadata for ever. What it was before is kept. Called again it changes nothing.
--
-- The price stays, also where another address would have had another tax: an order costs what its buyer was shown.
--
-- Callers: authenticated (staff) and service_role, through public.correct_order.
-- Locks: the order, two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, ORDER_NOT_FOUND, ORDER_STATE_CONFLICT; 55P03 is transient.
-- Security definer: nobody has the right to write an order's details.
create function interlock.correct_order(p_order_id uuid, p_shipping_address jsonb, p_contact jsonb, p_metadata jsonb)
returns json
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
declare
  v_order interlock.orders;
  v_old interlock.order_details;
  v_new interlock.order_details;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.refuse_unless_shop();
  if num_nonnulls(p_shipping_address, p_contact, p_metadata) = 0 then
    perform interlock.refuse_problems(
      interlock.problem('/p_shipping_address', 'is required, unless p_contact or p_metadata is given')
    );
  end if;
  perform interlock.refuse_problems(
    interlock.find_detail_problems('/p_', p_shipping_address, p_contact, p_metadata)
  );

  if interlock.lock_order(p_order_id) is null then
    perform interlock.raise_error('ORDER_NOT_FOUND', jsonb_build_object('order_id', p_order_id));
  end if;
  select o.* into v_order from interlock.orders o where o.id = p_order_id;
  select d.* into v_old from interlock.order_details d where d.order_id = p_order_id;

  v_new := v_old;
  v_new.order_id := p_order_id;
  v_new.shipping_address := coalesce(p_shipping_address, v_old.shipping_address);
  v_new.contact := coalesce(p_contact, v_old.contact);
  v_new.metadata := coalesce(p_metadata, v_old.metadata);

  if (
    v_new.shipping_address is distinct from v_old.shipping_address
    and not (interlock.is_owed_order(v_order.status) and v_order.fulfillment in ('unfulfilled', 'processing', 'partly_shipped'))
  ) or (
    v_new.contact is distinct from v_old.contact
    and not interlock.is_owed_order(v_order.status)
  ) then
    perform interlock.raise_error('ORDER_STATE_CONFLICT', jsonb_build_object(
      'order_id', p_order_id, 'status', v_order.status, 'fulfillment', v_order.fulfillment
    ));
  end if;

  if v_new is distinct from v_old then
    insert into interlock.order_detail_changes (order_id, shipping_address, contact, metadata, actor)
    values (p_order_id, v_old.shipping_address, v_old.contact, v_old.metadata, auth.uid());

    insert into interlock.order_details
    select v_new.*
    on conflict on constraint order_details_pkey do update
      set shipping_address = excluded.shipping_address,
          contact = excluded.contact,
          metadata = excluded.metadata;

    insert into interlock.order_events (order_id, event, actor)
    values (p_order_id, 'corrected', auth.uid());
  end if;

  return interlock.order_answer(p_order_id);
end
$$;

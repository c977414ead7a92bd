-- What public.set_crm_settings does, with its owner's rights: has Alpine IQ told of sales and customers from now on, or changes which
-- account; what is null stays.
--
-- Callers: authenticated (staff) and service_role, through public.set_crm_settings.
-- Locks: the cursor; the endpoint of the CRM.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED; 55P03 is transient.
-- Security definer: nobody has the right to write endpoints and settings of the CRM.
create function interlock.set_crm_settings(p_account text, p_active boolean)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_endpoint interlock.webhook_endpoints;
  v_account constant text := coalesce(p_account, (select c.account from interlock.crm_settings c));
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  perform interlock.refuse_unless_shop();
  if (v_account ~ '^[A-Za-z0-9_-]{1,100}$') is not true then
    perform interlock.refuse_problems(interlock.problem('/p_account', 'must be the uid of your account: letters, digits, - and _'));
  end if;

  v_endpoint := interlock.open_channel('alpine_iq', 'Alpine IQ', '{sale.completed,sale.voided,customer.changed}', p_active);
  insert into interlock.crm_settings (endpoint_id, account) values (v_endpoint.id, v_account)
  on conflict on constraint crm_settings_pkey do update set account = excluded.account;
  return jsonb_build_object('success', true, 'crm', jsonb_build_object(
    'endpoint_id', v_endpoint.id, 'account', v_account, 'active', v_endpoint.active
  ));
end
$$;

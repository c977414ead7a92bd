-- What Alpine IQ is told of an event, as it is now: `{outlet, url, body, headers}`; null for nothing. Who does not want to be written to is not told of,
-- and what they buy is told without them.
--
-- Callers: interlock.crm_calls.
-- Locks: none.
create function interlock.crm_call(p_event_type text, p_subject text)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_account constant text := (select c.account from interlock.crm_settings c);
  v_path text;
  v_body jsonb;
begin
  if p_event_type = 'customer.changed' then
    v_path := 'createUpdateMember';
    v_body := interlock.alpine_iq_member(p_subject::uuid);
  else
    v_path := 'createUpdateSale';
    v_body := interlock.alpine_iq_sale(p_subject::uuid);
    if not exists (
      select from interlock.customers c where c.id = (v_body #>> '{visit,pos_user}')::uuid and c.marketing
    ) then
      v_body := v_body #- '{visit,pos_user}';
    end if;
  end if;
  return case when v_body is not null then jsonb_build_object(
    'outlet', 'ALPINE_IQ', 'url', format('/api/v1.1/%s/%s', v_path, v_account), 'body', v_body::text, 'headers', '{}'::jsonb
  ) end;
end
$$;

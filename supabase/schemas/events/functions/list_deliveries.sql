-- What public.list_deliveries does, with its owner's rights: what was sent to endpoints or is to be sent there, the newest
-- first, with each attempt, a page at a time.
--
-- Callers: authenticated (staff) and service_role, through public.list_deliveries.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED.
-- Security definer: staff read no deliveries otherwise.
create function interlock.list_deliveries(p_endpoint_id uuid, p_state text, p_before bigint, p_limit int)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
set timezone = 'UTC'
as $$
declare
  v_problems jsonb := '[]'::jsonb;
begin
  perform interlock.refuse_unless_shop();
  if p_state not in ('pending', 'delivered', 'dead', 'skipped') then
    v_problems := v_problems || interlock.problem('/p_state', 'must be pending, delivered, dead or skipped');
  end if;
  if p_limit is null or p_limit not between 1 and 200 then
    v_problems := v_problems || interlock.problem('/p_limit', 'must be an integer from 1 to 200');
  end if;
  perform interlock.refuse_problems(v_problems);

  return jsonb_build_object('success', true, 'deliveries', coalesce((
    select jsonb_agg(
      to_jsonb(q) - '{shop_id,lease,position,transaction}'::text[] || jsonb_build_object('event_id', e.id, 'event_type', e.type, 'attempts', q.attempts, 'log', coalesce((
        select jsonb_agg(to_jsonb(a) - '{shop_id,id,delivery_id}'::text[] order by a.id)
        from interlock.delivery_attempts a
        where a.delivery_id = q.id
      ), '[]')) || coalesce((
        select jsonb_build_object('mail', jsonb_build_object('kind', m.kind, 'recipient', m.recipient))
        from interlock.mails m
        where m.delivery_id = q.id
      ), '{}')
      order by q.id desc
    )
    from (
      select d.*
      from interlock.deliveries d
      where (p_endpoint_id is null or d.endpoint_id = p_endpoint_id)
        and (p_state is null or d.state = p_state)
        and (p_before is null or d.id < p_before)
      order by d.id desc
      limit p_limit
    ) q
    cross join interlock.find_event(q.transaction, q.position) e
  ), '[]'));
end
$$;

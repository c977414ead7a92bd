-- Refuse arguments the function claim-route would have refused already.
--
-- Callers: interlock.claim_route.
-- Errors: VALIDATION_FAILED.
create function interlock.check_claim_route_arguments(p_batch_id uuid, p_action text)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if p_action not in ('claim', 'renew', 'release', 'start', 'complete') then
    perform interlock.refuse_problems(
      interlock.problem('/action', 'must be one of claim, renew, release, start, complete')
    );
  end if;

  if p_action <> 'claim' and p_batch_id is null then
    perform interlock.refuse_problems(
      interlock.problem('/batch_id', format('is required for the action %s', p_action))
    );
  end if;
end
$$;

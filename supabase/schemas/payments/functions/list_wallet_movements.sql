-- What public.list_wallet_movements does, with its owner's rights: a customer's wallet and what has happened to it, for
-- support: how much, why, who did it, under which reference or for which order. The latest first, a page at a time.
--
-- Callers: authenticated (staff) and service_role, through public.list_wallet_movements.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED.
-- Security definer: wallets of others are not readable otherwise.
create function interlock.list_wallet_movements(p_user_id uuid, p_before bigint, p_limit int)
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
  if p_user_id is null then
    v_problems := v_problems || interlock.problem('/p_user_id', 'is required');
  end if;
  if p_limit is null or p_limit not between 1 and 200 then
    v_problems := v_problems || interlock.problem('/p_limit', 'must be an integer from 1 to 200');
  end if;
  perform interlock.refuse_problems(v_problems);

  return jsonb_build_object(
    'success', true,
    'wallet', (
      select to_jsonb(w) - 'shop_id'
      from interlock.wallets w
      where w.user_id = p_user_id
    ),
    'movements', coalesce((
      select jsonb_agg(to_jsonb(m) - 'shop_id' - 'user_id' order by m.id desc)
      from (
        select q.*
        from interlock.wallet_movements q
        where q.user_id = p_user_id
          and (p_before is null or q.id < p_before)
        order by q.id desc
        limit p_limit
      ) m
    ), '[]')
  );
end
$$;

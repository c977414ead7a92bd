create function public.erase_user(p_user_id uuid)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.erase_user(p_user_id);
end
$$;

comment on function public.erase_user(uuid) is
  'Removes an account and takes the person out of what stays, or says what is still owed; lists their files of payment proofs for removal. For the service role.';

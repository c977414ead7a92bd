-- Whether an account is a guest's, by anonymous sign-in. One that has got an e-mail or a phone since is none, whatever a
-- token that is older says. Null if there is no such account.
--
-- Callers: interlock.create_order_transfer, interlock.move_guest.
create function interlock.is_guest(p_user_id uuid)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return (select u.is_anonymous from interlock.accounts u where u.id = p_user_id);
end
$$;

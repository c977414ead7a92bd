-- The accounts of the platform, as far as Interlock asks of them. They are read and locked here, with the rights of whoever
-- installed Interlock: auth.users shows its rows to roles that pass over row security, and to nobody else.
create view interlock.accounts as
select u.id, u.email, u.is_anonymous, u.created_at, u.raw_user_meta_data
from auth.users u;

comment on view interlock.accounts is
  'The accounts of the platform, as far as Interlock asks of them. Nobody but its owner may read it.';

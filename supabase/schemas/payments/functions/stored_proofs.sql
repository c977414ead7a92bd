-- The names of the files that are stored as payment proofs below a folder, or by one of these names; where the platform's storage
-- is not there, these names.
--
-- Callers: interlock.has_room_for_proof, interlock.submit_payment_proof, interlock.erase_user.
-- Locks: none.
-- Security definer: what is the platform's belongs to no shop (interlock.serve_shops).
create function interlock.stored_proofs(p_folder text, p_names text[] default '{}')
returns setof text
language plpgsql
stable
rows 10
security definer
set search_path = ''
as $$
begin
  if to_regclass('storage.objects') is null then
    return query select unnest(p_names);
  else
    return query execute
      'select o.name::text from storage.objects o where o.bucket_id = $1 and (o.name like $2 or o.name = any ($3))'
    using 'payment-proofs', p_folder || '%', p_names;
  end if;
end
$$;

-- Whether the caller is staff of the shop whose order a file of this path is for.
--
-- Callers: the policy interlock_payment_proofs_select_own_or_staff on the platform's storage.
-- Locks: none.
-- Security definer: storage asks with the rights of whoever reads.
create function interlock.reads_proof(p_path text)
returns boolean
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return interlock.is_staff()
    and interlock.is_proof_path(p_path)
    and exists (select from interlock.orders o where o.id = split_part(p_path, '/', 2)::uuid);
end
$$;

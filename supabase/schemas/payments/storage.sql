-- The bucket of payment proofs and its rules, where the platform's storage is there.
select interlock.prepare_storage();

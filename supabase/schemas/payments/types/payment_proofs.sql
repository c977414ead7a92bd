-- Path of a file in the bucket payment-proofs.
create domain interlock.object_path as text
  constraint payment_proofs_object_path_length check (char_length(value) between 1 and 500);

create domain interlock.payment_proof_status as text
  constraint payment_proofs_status_known check (value in ('submitted', 'accepted', 'rejected', 'closed'));

-- Why the shop rejected a proof, for its buyer to read.
create domain interlock.rejection_reason as text
  constraint payment_proofs_reason_length check (char_length(value) between 1 and 500);

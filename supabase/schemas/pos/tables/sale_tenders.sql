-- How sales at tills were paid; append-only.
--
-- The reference of a card payment counts once: the terminal gives every payment its own.
create table interlock.sale_tenders (
  sale_id uuid not null
    constraint sale_tenders_sale_id_fkey references interlock.sales,
  n int not null,
  type interlock.tender_type not null,
  amount interlock.positive_amount not null,
  reference interlock.label,
  constraint sale_tenders_pkey primary key (sale_id, n)
);

comment on table interlock.sale_tenders is
  'How sales at tills were paid. Append-only.';
comment on column interlock.sale_tenders.amount is
  'Minor units; of cash what was handed over, of which sales.change_due was given back.';
comment on column interlock.sale_tenders.reference is
  'The terminal''s reference of a card payment, or what else names it.';

create unique index sale_tenders_card_reference_key
  on interlock.sale_tenders (reference)
  where type = 'card' and reference is not null;

create trigger sale_tenders_append_only
  before update or delete on interlock.sale_tenders
  for each row
  execute function interlock.refuse_change();

create trigger sale_tenders_no_truncate
  before truncate on interlock.sale_tenders
  for each statement
  execute function interlock.refuse_change();

alter table interlock.sale_tenders enable row level security;

grant select on table interlock.sale_tenders to authenticated, service_role;

create policy sale_tenders_select_till
  on interlock.sale_tenders
  for select
  to authenticated
  using ((select interlock.till_role()) is not null);

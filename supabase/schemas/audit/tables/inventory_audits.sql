-- Audits of the stock (interlock.audit_inventory), one row each, written when it has ended. Never changed: what an audit
-- says of transactions counts only where its own row is from the transaction that it names, which a row that came with a
-- restored dump is not.
--
-- From where the next audit goes on: whatever an audit may not have seen was written by a transaction that was under way when
-- it began, or began later. Postgres keeps in each row which transaction wrote it (xmin), so no sale has to write anything for it.
create table interlock.inventory_audits (
  id bigint generated always as identity
    constraint inventory_audits_pkey primary key,
  whole boolean not null,
  started_at timestamptz not null,
  ended_at timestamptz not null,
  transaction_id xid8 not null,
  oldest_transaction xid8 not null,
  next_transaction xid8 not null,
  last_movement bigint not null,
  kept_since timestamptz,
  products int not null,
  orders int not null,
  new_findings int not null,
  closed_findings int not null,
  open_findings int not null,
  open_units numeric not null
);

comment on table interlock.inventory_audits is
  'Audits of the stock, one row each. Read by staff.';
comment on column interlock.inventory_audits.whole is
  'Whether it has looked at everything, and not only at what has moved since the one before.';
comment on column interlock.inventory_audits.oldest_transaction is
  'The oldest transaction that was under way when it began: what that one or a later one wrote, the next audit looks at.';
comment on column interlock.inventory_audits.next_transaction is
  'The transaction that came next when it began.';
comment on column interlock.inventory_audits.last_movement is
  'The last id that the stock ledger had given out before it began.';
comment on column interlock.inventory_audits.kept_since is
  'From when on the stock ledger has all its rows, as far as retention goes; orders from before are not compared with it.';
comment on column interlock.inventory_audits.products is
  'How many products it has looked at.';
comment on column interlock.inventory_audits.orders is
  'How many orders it has looked at.';
comment on column interlock.inventory_audits.new_findings is
  'Findings that it has filed.';
comment on column interlock.inventory_audits.closed_findings is
  'Findings that were gone.';
comment on column interlock.inventory_audits.open_findings is
  'Findings that were open when it had ended.';
comment on column interlock.inventory_audits.open_units is
  'What these came to, without their signs.';

create trigger inventory_audits_append_only
  before update or delete on interlock.inventory_audits
  for each row
  execute function interlock.refuse_change();

create trigger inventory_audits_no_truncate
  before truncate on interlock.inventory_audits
  for each statement
  execute function interlock.refuse_change();

alter table interlock.inventory_audits enable row level security;

grant select on table interlock.inventory_audits to authenticated, service_role;

create policy inventory_audits_select_staff
  on interlock.inventory_audits
  for select
  to authenticated
  using ((select interlock.is_staff()));

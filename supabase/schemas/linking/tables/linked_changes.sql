-- What a transaction that is under way has changed in linked tables, one row for each statement. At its commit
-- interlock.bring_linked_changes takes them away and brings them to customers and products, each in the order of their ids: so
-- their rows are locked last of all, and for the commit alone, however many statements came before. Nobody else ever sees a row.
create table interlock.linked_changes (
  transaction xid8 not null default pg_current_xact_id(),
  id bigint generated always as identity,
  link_id uuid not null,
  source_ids text[] not null,
  differences numeric[],
  entries text[],
  constraint linked_changes_pkey primary key (transaction, id)
);

comment on table interlock.linked_changes is
  'Changes of linked tables between their statement and the commit; empty for whoever looks.';
comment on column interlock.linked_changes.transaction is
  'Whose.';
comment on column interlock.linked_changes.id is
  'Counts up.';
comment on column interlock.linked_changes.link_id is
  'Of which link.';
comment on column interlock.linked_changes.source_ids is
  'The rows that have changed.';
comment on column interlock.linked_changes.differences is
  'By how much the stock of each product has.';
comment on column interlock.linked_changes.entries is
  'What of each customer has, by the names of the map; empty where the row is gone.';

create constraint trigger linked_changes_brought
  after insert on interlock.linked_changes
  deferrable initially deferred
  for each row
  execute function interlock.bring_linked_changes();

alter table interlock.linked_changes enable row level security;

-- Tables of the shop's own that customers come from: which column is what, and what is done where both sides do not go
-- together. Written by interlock.link_customers, which also makes the triggers on the shop's table, and by
-- interlock.fill_customers.
--
-- A link that has ended (active is false) keeps its row and its linked_customers: linked again, rows find their customers.
create table interlock.customer_links (
  id uuid not null default interlock.new_id()
    constraint customer_links_pkey primary key,
  source regclass not null
    constraint customer_links_source_key unique,
  id_column name not null,
  id_type text not null,
  name_columns name[],
  email_column name,
  phone_column name,
  user_column name,
  marketing_column name,
  marketing_values text[],
  same_by text[] not null
    constraint customer_links_same_by_known check (same_by <@ '{user,email,phone}'),
  unfit text not null
    constraint customer_links_unfit_known check (unfit in ('refuse', 'leave_out')),
  on_delete text not null
    constraint customer_links_on_delete_known check (on_delete in ('erase', 'keep')),
  on_erase text not null
    constraint customer_links_on_erase_known check (on_erase in ('keep', 'clear', 'delete')),
  source_search_path text not null,
  active boolean not null default true,
  filled_to text,
  filled_at timestamptz,
  created_at timestamptz not null default now()
);

comment on table interlock.customer_links is
  'Tables of the shop''s own that customers come from. Written by link_customers and unlink_customers.';
comment on column interlock.customer_links.source is
  'The shop''s table.';
comment on column interlock.customer_links.id_column is
  'Its key: uuid, a whole number or text.';
comment on column interlock.customer_links.id_type is
  'The type of the key, as Postgres writes it.';
comment on column interlock.customer_links.name_columns is
  'What becomes customers.name, joined by blanks; null: nothing does.';
comment on column interlock.customer_links.email_column is
  'What becomes customers.email.';
comment on column interlock.customer_links.phone_column is
  'What becomes customers.phone.';
comment on column interlock.customer_links.user_column is
  'What becomes customers.user_id: their account.';
comment on column interlock.customer_links.marketing_column is
  'What becomes customers.marketing.';
comment on column interlock.customer_links.marketing_values is
  'Which values of that column mean yes; null: it is a boolean.';
comment on column interlock.customer_links.same_by is
  'By what a row is a customer whom Interlock has already: user, email, phone.';
comment on column interlock.customer_links.unfit is
  'What becomes of a name, e-mail, phone or account that cannot be taken over: refuse or leave_out.';
comment on column interlock.customer_links.on_delete is
  'What becomes of the customer of a row that is deleted: erase or keep.';
comment on column interlock.customer_links.on_erase is
  'What becomes of the row of a customer who is taken out: keep, clear or delete.';
comment on column interlock.customer_links.source_search_path is
  'The search path under which it was linked: what the shop''s own triggers run with while a row is cleared or deleted.';
comment on column interlock.customer_links.active is
  'Whether it is in force.';
comment on column interlock.customer_links.filled_to is
  'The key up to which rows that were there before have been taken over.';
comment on column interlock.customer_links.filled_at is
  'When the last of them was; null: there are some left.';
comment on column interlock.customer_links.created_at is
  'When it was linked.';

alter table interlock.customer_links enable row level security;

grant select on table interlock.customer_links to service_role;

-- Product codes: what a digital product consists of. Each code is sold to one order.
--
--   order_id is null                     free: can be sold
--   order_id set, used_at is null        reserved: belongs to an order that is not paid yet
--   order_id set, used_at set            delivered: the buyer can read it
--
-- Stock and free codes cannot disagree: the stock of a digital product *is* the number of its free codes. A trigger
-- here moves products.available_quantity in the statement that changes the codes, whoever does it, and any other
-- change of a digital product's stock is refused. (A constraint cannot count rows, and a view would make a second kind
-- of stock that each reader has to know of.) The view code_differences is always empty.
--
-- A delivered code is never sold again, whatever becomes of its order: somebody has seen it. A reserved code of an
-- order that ends becomes free. The constraint product_codes_delivered_has_order and the trigger hold that.
--
-- A code that does not work is replaced once, by public.replace_product_code: both stay with their order, the old one
-- with the reason and the id of the new one, and the buyer sees the new one.
--
-- One product has a key once, however it was entered: the index product_codes_once compares normal forms. What is
-- delivered is what was entered.
--
-- Lock order: the product's stock row, then its codes. Whoever holds the stock row knows the number of free codes
-- exactly, because nobody else can commit a change of it.
create table interlock.product_codes (
  id bigint generated always as identity
    constraint product_codes_pkey primary key,
  product_id uuid not null
    constraint product_codes_product_id_fkey references interlock.products (id),
  code interlock.product_code not null,
  order_id uuid
    constraint product_codes_order_id_fkey references interlock.orders (id),
  used_at timestamptz,
  replaced_by bigint
    constraint product_codes_replaced_by_fkey references interlock.product_codes (id),
  replaced_at timestamptz,
  replaced_reason interlock.label,
  replaced_actor uuid,
  created_at timestamptz not null default now(),
  constraint product_codes_unique unique (product_id, code),
  constraint product_codes_delivered_has_order check (used_at is null or order_id is not null),
  constraint product_codes_replaced_whole check (
    case when replaced_by is null
      then num_nonnulls(replaced_at, replaced_reason, replaced_actor) = 0
      else num_nulls(replaced_at, replaced_reason, used_at) = 0
    end
  )
);

comment on table interlock.product_codes is
  'Codes of digital products. Read by the buyer of a paid order; the shop (service role) adds them.';
comment on column interlock.product_codes.id is
  'What replace_product_code calls it by.';
comment on column interlock.product_codes.product_id is
  'The digital product. Never changes.';
comment on column interlock.product_codes.code is
  'What the buyer gets, as it was entered. One product has a key once: case, blanks and kinds of dashes make no other key.';
comment on column interlock.product_codes.order_id is
  'The order it is sold to or reserved for; empty while it is free.';
comment on column interlock.product_codes.used_at is
  'When it was delivered: from then on the buyer can read it, and it is never sold again.';

comment on column interlock.product_codes.replaced_by is
  'The code that its buyer got instead, because this one did not work; set by replace_product_code only.';
comment on column interlock.product_codes.replaced_at is
  'When it was replaced.';
comment on column interlock.product_codes.replaced_reason is
  'Why it was replaced, as staff said it.';
comment on column interlock.product_codes.replaced_actor is
  'The staff member who replaced it; empty for the shop.';
comment on column interlock.product_codes.created_at is
  'When it was added.';

-- One key, however it was entered.
create unique index product_codes_once on interlock.product_codes (product_id, interlock.normal_code(code));

-- One code takes the place of one.
create unique index product_codes_replaces_one on interlock.product_codes (replaced_by) where replaced_by is not null;

-- Free codes, oldest first.
create index product_codes_free on interlock.product_codes (product_id, id) where order_id is null;

create index product_codes_by_order on interlock.product_codes (order_id) where order_id is not null;

create trigger product_codes_guard
  before insert or update or delete on interlock.product_codes
  for each row
  execute function interlock.guard_product_code();

create trigger product_codes_count_added
  after insert on interlock.product_codes
  referencing new table as new_rows
  for each statement
  execute function interlock.count_free_codes();

create trigger product_codes_count_changed
  after update on interlock.product_codes
  referencing old table as old_rows new table as new_rows
  for each statement
  execute function interlock.count_free_codes();

create trigger product_codes_count_removed
  after delete on interlock.product_codes
  referencing old table as old_rows
  for each statement
  execute function interlock.count_free_codes();

create trigger product_codes_no_truncate
  before truncate on interlock.product_codes
  for each statement
  execute function interlock.refuse_change();

alter table interlock.product_codes enable row level security;

grant select on table interlock.product_codes to authenticated;
grant select, insert, update, delete on table interlock.product_codes to service_role;

create policy product_codes_select_bought
  on interlock.product_codes
  for select
  to authenticated
  using (
    used_at is not null
    and replaced_by is null
    and order_id = any (array(
      select o.id
      from interlock.orders o
      where o.user_id = (select auth.uid())
        and o.status in ('paid', 'fulfilled')
    ))
  );

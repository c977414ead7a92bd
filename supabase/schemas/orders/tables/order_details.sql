-- What was said about an order beside what is sold: where it goes, whom to ask, and what the app keeps with it. One row
-- for each order with which anything was said, so that others cost nothing.
--
-- Address and contact are a person's: they go with the account (interlock.forget_order_details), by public.erase_user or a
-- plain deletion. The metadata are the shop's, and stay: nobody should write a person into them.
--
-- Written with the order by public.checkout, corrected by public.correct_order. What they were before stands in
-- interlock.order_detail_changes.
create table interlock.order_details (
  order_id uuid not null
    constraint order_details_pkey primary key
    constraint order_details_order_id_fkey references interlock.orders (id),
  shipping_address interlock.details,
  contact interlock.details,
  metadata interlock.details
);

comment on table interlock.order_details is
  'Address, contact and metadata of orders that were given any. Read by the buyer; corrected by correct_order.';
comment on column interlock.order_details.shipping_address is
  'Where the goods go, as the app has said it; empty once the account was deleted.';
comment on column interlock.order_details.contact is
  'Whom to ask about the order, as the app has said it; empty once the account was deleted.';
comment on column interlock.order_details.metadata is
  'Texts that the app keeps with the order, such as a campaign or an id of its own. Not for what is about a person.';

alter table interlock.order_details enable row level security;

grant select on table interlock.order_details to authenticated, service_role;

create policy order_details_select_own
  on interlock.order_details
  for select
  to authenticated
  using (order_id = any (array(
    select o.id from interlock.orders o where o.user_id = (select auth.uid())
  )));

set local lock_timeout = '5s';

select interlock.conceal('points_movements');
select interlock.conceal('points_accounts');
select interlock.conceal('tiers');
select interlock.conceal('points_values');
select interlock.conceal('points_rules');
select interlock.conceal('customers');
drop function
  public.adjust_points(uuid, text, text, bigint, bigint),
  public.alpine_iq_member(uuid),
  public.erase_customer(uuid),
  public.find_customer(text, text),
  public.link_customer(uuid, uuid),
  public.merge_customers(uuid, uuid),
  public.redeem_points(bigint, text, text),
  public.save_customer(jsonb, uuid);
drop trigger orders_points_due on interlock.orders;
drop function
  interlock.adjust_points,
  interlock.alpine_iq_member,
  interlock.book_orders,
  interlock.book_points,
  interlock.customer_to_json,
  interlock.earn_points,
  interlock.erase_customer,
  interlock.fill_in_customer,
  interlock.find_customer,
  interlock.find_customer_problems,
  interlock.find_or_make_customer,
  interlock.find_person_problems,
  interlock.forget_customer,
  interlock.link_customer,
  interlock.live_customer,
  interlock.lock_points,
  interlock.merge_customers,
  interlock.normal_email,
  interlock.normal_phone,
  interlock.note_customer,
  interlock.points_for,
  interlock.redeem_points,
  interlock.save_customer,
  interlock.settle_customer_tier,
  interlock.settle_points,
  interlock.settle_tier,
  interlock.take_points_back;
drop table
  interlock.tiers,
  interlock.points_values,
  interlock.points_rules,
  interlock.points_movements,
  interlock.points_due,
  interlock.points_accounts,
  interlock.customers;
drop domain
  interlock.phone_number,
  interlock.email_address,
  interlock.points,
  interlock.points_kind;
drop function
  interlock.note_points_due,
  interlock.till_role;

set local lock_timeout = '5s';

select interlock.conceal('promo_differences');
select interlock.conceal('promo_redemptions');
select interlock.conceal('promo_code_products');
select interlock.conceal('promo_codes');
drop function
  public.expire_promo_holds(int),
  public.increment_promo_usage(uuid, text),
  public.set_promo_slots(uuid, int),
  public.validate_promo(text, jsonb, bigint, uuid, boolean, text, text);
drop view interlock.promo_differences;
drop function
  interlock.check_validate_promo_arguments,
  interlock.count_promo_use,
  interlock.end_promo_uses,
  interlock.evaluate_promo,
  interlock.expire_promo_holds,
  interlock.find_promo,
  interlock.find_promo_use,
  interlock.grant_promo_uses,
  interlock.has_other_order,
  interlock.increment_promo_usage,
  interlock.lock_first_order,
  interlock.lock_promo_attempts,
  interlock.lock_promo_users,
  interlock.move_promo_uses,
  interlock.price_promo_cart,
  interlock.promo_discount,
  interlock.redeem_promo,
  interlock.refuse_unknown_promo,
  interlock.release_promo_hold,
  interlock.return_promos,
  interlock.set_promo_slots,
  interlock.settle_promo_uses,
  interlock.split_discount,
  interlock.take_promo_use,
  interlock.validate_promo;
drop table
  interlock.promo_user_uses,
  interlock.promo_redemptions,
  interlock.promo_code_products,
  interlock.promo_attempts,
  interlock.promo_codes;
drop domain
  interlock.promo_code,
  interlock.discount_type,
  interlock.time_zone,
  interlock.promo_use_status;
drop function
  interlock.cover_promo_slots,
  interlock.keep_used_promo,
  interlock.promo_end;

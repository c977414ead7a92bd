set local lock_timeout = '5s';

select interlock.serve_one_shop();
drop function
  interlock.act_for,
  interlock.add_shop,
  interlock.exposed,
  interlock.find_shop,
  interlock.functions_of_the_platform,
  interlock.guard_by_shop,
  interlock.holds_shop,
  interlock.in_each_shop,
  interlock.is_linked,
  interlock.keyed_tables,
  interlock.let_shops_go,
  interlock.let_shops_reach,
  interlock.serve_one_shop,
  interlock.serve_shops,
  interlock.set_shop,
  interlock.shops_of_user,
  interlock.shops_to_serve,
  interlock.with_shop,
  interlock.without_shop;
drop table
  interlock.shops;
drop domain
  interlock.shop_handle,
  interlock.shop_state;
drop function
  interlock.fill_shop;

set local lock_timeout = '5s';

drop function
  public.add_shop(text),
  public.list_shops(int, int),
  public.set_shop(int, text, int, text);
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
  interlock.in_shop,
  interlock.is_linked,
  interlock.keyed_tables,
  interlock.let_shops_go,
  interlock.let_shops_reach,
  interlock.list_shops,
  interlock.refuse_handle,
  interlock.serve_one_shop,
  interlock.serve_shops,
  interlock.set_shop,
  interlock.shop_to_json,
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
  interlock.fill_shop,
  interlock.is_shop_handle;

-- With 100 lines of 10,000 the largest price still gives a sum that fits a bigint.
create domain interlock.price as bigint
  constraint products_price_sane check (value between 0 and 1000000000000);

create domain interlock.product_kind as text
  constraint products_kind_known check (value in ('physical', 'digital'));

create domain interlock.stock_policy as text
  constraint products_stock_policy_known check (value in ('tracked', 'untracked', 'backorder'));

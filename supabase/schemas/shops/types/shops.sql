-- What a shop is called in the header x-shop.
create domain interlock.shop_handle as text
  constraint shop_handle_format check (interlock.is_shop_handle(value));

create domain interlock.shop_state as text
  constraint shop_state_known check (value in ('open', 'closed', 'moving'));

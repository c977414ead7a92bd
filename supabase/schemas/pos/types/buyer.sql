-- Who buys at a till, and what they pay with beside cash and cards. Their points are locked, and the wallet if it pays.
create type interlock.buyer as (
  customer_id uuid,
  user_id uuid,
  -- Minor units.
  by_points bigint,
  by_wallet bigint,
  -- How many points that is.
  spent bigint
);

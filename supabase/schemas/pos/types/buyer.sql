-- Who buys at a till, and what they pay with beside cash and cards, or are paid out in. Their points are locked, and the wallet if it
-- is named.
create type interlock.buyer as (
  customer_id uuid,
  user_id uuid,
  -- The tier they had.
  tier text,
  -- Minor units.
  by_points bigint,
  by_wallet bigint
);

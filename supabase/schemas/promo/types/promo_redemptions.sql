create domain interlock.promo_use_status as text
  constraint promo_redemptions_status_known
    check (value in ('held', 'redeemed', 'released', 'expired', 'returned'));

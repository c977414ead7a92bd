-- What apps and the shop read of promo over REST, each where its name is free in public (interlock.expose).
select interlock.expose('promo_codes');
select interlock.expose('promo_code_products');
select interlock.expose('promo_redemptions');
select interlock.expose('promo_differences');

-- What apps read of linked tables over REST, where its name is free in public (interlock.expose): which product or
-- customer a row of the shop's own is.
select interlock.expose('linked_customers');
select interlock.expose('linked_products');

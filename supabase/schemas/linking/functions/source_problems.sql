-- What can be wrong with a row of the shop's own table, by the names that interlock.read_source gives: which entry of the map
-- it is about, what it is, and what to do about it.
--
-- Callers: interlock.find_source_problems, interlock.bring_products, interlock.product_drift.
-- Locks: none.
create function interlock.source_problems()
returns table (problem text, entry text, message text, todo text)
language sql
immutable
set search_path = ''
as $$
  values
    ('id_null', 'id', 'has no key', 'give each row a key, and the column a unique constraint'),
    ('id_long', 'id', 'has a key that is empty or longer than 200 characters', 'link a shorter column'),
    ('name_null', 'name', 'has no name', 'fill it in, or link another column'),
    ('name_long', 'name', 'has a name of more than 200 characters', 'shorten it, or link a generated column such as left(title, 200)'),
    ('price_null', 'price', 'has no price', 'fill it in; what cannot be bought is inactive and has the price 0'),
    ('price_negative', 'price', 'has a price below 0', 'correct it'),
    ('price_fraction', 'price', 'has a price with parts of a minor unit', 'round it: update … set price = round(price, 2)'),
    ('price_large', 'price', 'has a price that is no number, or more than 1000000000000 minor units', 'correct it, or look at price_unit'),
    ('currency_null', 'currency', 'has no currency', 'fill it in, or link a constant: {"currency": {"is": "EUR"}}'),
    ('currency_unknown', 'currency', 'has a currency that ISO 4217 does not know', 'write it as three letters, such as EUR'),
    ('quantity_null', 'quantity', 'has no stock', 'write 0; what is never counted gets the policy untracked in Interlock'),
    ('quantity_negative', 'quantity', 'has a stock below 0', 'it is oversold: decide what becomes of those orders, then write what is on the shelf'),
    ('quantity_fraction', 'quantity', 'has a stock that is not in whole units', 'the web shop sells whole units: count in smaller ones'),
    ('quantity_large', 'quantity', 'has a stock that is no number, or above 1000000000', 'for a product without end write 0, and give it the policy untracked in Interlock')
$$;

-- What can be wrong with a row of the shop's own table, by the names that interlock.read_source and interlock.match_people give: which
-- entry of the map it is about, what it is, and what to do about it.
--
-- Callers: interlock.find_source_problems, interlock.bring_products, interlock.product_drift, and the same of customers.
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
    ('quantity_large', 'quantity', 'has a stock that is no number, or above 1000000000', 'for a product without end write 0, and give it the policy untracked in Interlock'),
    ('id_personal', 'id', 'has an e-mail address for a key', 'link a key that is not personal: it is kept when the person is taken out'),
    ('name_unfit', 'name', 'has a name of more than 200 characters, or of several lines', 'correct it, or p_unfit => ''leave_out'''),
    ('email_unfit', 'email', 'has an e-mail address that is none', 'correct it, or p_unfit => ''leave_out'''),
    ('email_twice', 'email', 'has the e-mail address of another row', 'make one of them, or p_unfit => ''leave_out'': one keeps it'),
    ('email_taken', 'email', 'has the e-mail address of a customer in Interlock', 'p_same_by => ''{user,email}'' makes them one where your app has verified it; else correct it, or p_unfit => ''leave_out'' and public.merge_customers'),
    ('phone_unfit', 'phone', 'has a phone number that is none, or without its country', 'correct it, set phone_prefix in interlock.settings, or p_unfit => ''leave_out'''),
    ('phone_twice', 'phone', 'has the phone number of another row', 'make one of them, or p_unfit => ''leave_out'': one keeps it'),
    ('phone_taken', 'phone', 'has the phone number of a customer in Interlock', 'p_same_by => ''{user,phone}'' makes them one where your app has verified it; else correct it, or p_unfit => ''leave_out'' and public.merge_customers'),
    ('user_unknown', 'user', 'has an account that is not in auth.users', 'correct it, or p_unfit => ''leave_out'''),
    ('user_twice', 'user', 'has the account of another row', 'make one of them, or p_unfit => ''leave_out'': one keeps it'),
    ('user_taken', 'user', 'has the account of a customer in Interlock', 'p_same_by => ''{user}'' makes them one; else correct it, or p_unfit => ''leave_out''')
$$;

-- Refuse, as transient, a sale of a product that changed since it was priced.
--
-- Errors: 55P03, always.
create function interlock.raise_product_changed()
returns void
language plpgsql
set search_path = ''
as $$
begin
  raise exception using
    errcode = 'lock_not_available',
    message = 'a product changed while it was being bought; nothing has happened',
    hint = 'Send the same request again.';
end
$$;

-- Bring lines of a file of stock in, to be taken by interlock.import_stock: a list of lines, each a list of its number in the
-- file, product, location and quantity as texts. With the first piece (p_anew) what is left of the same file, and of others
-- from yesterday, goes.
--
-- Callers: `npm run import-stock`; postgres.
-- Locks: none beyond the rows it writes.
create function interlock.stage_stock(p_reference text, p_lines jsonb, p_anew boolean)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if p_anew then
    delete from interlock.stock_import_lines l
    where l.reference = p_reference
      or l.created_at < now() - interval '1 day';
  end if;

  insert into interlock.stock_import_lines (reference, line, product, location, quantity)
  select p_reference, (l ->> 0)::int, l ->> 1, l ->> 2, l ->> 3
  from jsonb_array_elements(p_lines) as l;
end
$$;

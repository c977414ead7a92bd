-- What makes two requests the same sale, as a hash. What a till that was cut off says besides (when, in which
-- shift, and unit_price of its lines) is left out, so that a sale whose answer was lost is found again when it is sent as one of those.
--
-- Callers: interlock.begin_sale, interlock.find_sale_answer.
create function interlock.sale_hash(p_request jsonb, p_offline boolean)
returns bytea
language plpgsql
immutable
set search_path = ''
as $$
begin
  return sha256(convert_to((case
    when p_offline and p_request ? 'lines' then jsonb_set(p_request, '{lines}', (
      select jsonb_agg(l.line - 'unit_price' order by l.n)
      from jsonb_array_elements(p_request -> 'lines') with ordinality as l (line, n)
    ))
    else p_request
  end - array['client_time', 'shift_id'])::text, 'UTF8'));
end
$$;

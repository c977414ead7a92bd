-- What public.sale_receipt does, with its owner's rights: the receipt of a sale for people, as lines of text or as a page to
-- print. What was sold stands on it as it was; what is above and below it is that of today's settings.
--
-- Callers: authenticated (cashiers, managers, staff) and service_role, through public.sale_receipt.
-- Locks: none.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, SALE_NOT_FOUND.
-- Security definer: nobody but the shop reads settings.
create function interlock.sale_receipt(p_sale_id uuid, p_format text, p_columns int, p_language text)
returns text
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_problems jsonb := jsonb '[]';
  v_language text;
begin
  perform interlock.require_till();
  if p_sale_id is null then
    v_problems := v_problems || interlock.problem('/p_sale_id', 'is required');
  end if;
  if (p_format in ('text', 'html')) is not true then
    v_problems := v_problems || interlock.problem('/p_format', 'must be text or html');
  end if;
  if (p_columns between 24 and 96) is not true then
    v_problems := v_problems || interlock.problem('/p_columns', 'must be a whole number from 24 to 96');
  end if;
  if p_language not in ('en', 'de') then
    v_problems := v_problems || interlock.problem('/p_language', 'must be en or de');
  end if;
  perform interlock.refuse_problems(v_problems);

  if not exists (select from interlock.sales s where s.id = p_sale_id) then
    perform interlock.raise_error('SALE_NOT_FOUND', jsonb_build_object('sale_id', p_sale_id));
  end if;
  select coalesce(p_language, s.receipt_language) into v_language from interlock.settings s;

  if p_format = 'text' then
    return (
      select string_agg(interlock.receipt_as_text(r.style, r.o_left, r.o_right, p_columns) || E'\n', '' order by r.n)
      from interlock.receipt_rows(p_sale_id, v_language) r
    );
  end if;
  return (
    select interlock.receipt_page(
      v_language,
      (array_agg(interlock.escape_html(r.o_left) order by r.n) filter (where r.style = 'row'))[1],
      case when p_columns <= 32 then 58 else 80 end,
      string_agg(interlock.receipt_as_html(r.style, r.o_left, r.o_right), E'\n' order by r.n)
    )
    from interlock.receipt_rows(p_sale_id, v_language) r
  );
end
$$;

-- A text as HTML shows it.
--
-- Callers: interlock.receipt_as_html, interlock.sale_receipt, interlock.render_mail, interlock.fill_mail.
-- Locks: none.
create function interlock.escape_html(p_text text)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return replace(replace(replace(replace(replace(p_text, '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;'), '''', '&#39;');
end
$$;

-- A row of a receipt as HTML.
--
-- Callers: interlock.sale_receipt.
-- Locks: none.
create function interlock.receipt_as_html(p_style text, p_left text, p_right text)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return (
    select case p_style
      when 'rule' then '<hr>'
      when 'title' then format('<h1>%s</h1>', e.middle)
      when 'centre' then format('<p>%s</p>', e.middle)
      when 'banner' then format('<p class="banner">%s</p>', e.middle)
      else format('<div class="%s"><span>%s</span><span>%s</span></div>', p_style, e.middle, interlock.escape_html(p_right))
    end
    from (select interlock.escape_html(p_left) as middle) e
  );
end
$$;

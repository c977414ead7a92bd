-- A text with its placeholders filled in, as text or as HTML; null if one of them is empty. What is filled in is not read again, so
-- no value can name a placeholder, and in HTML nothing but the template's own page is markup.
--
-- Callers: interlock.render_mail.
-- Locks: none.
create function interlock.fill_mail(p_text text, p_values jsonb, p_html boolean)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return (
    select case when bool_and(f.filled is not null) then string_agg(f.filled, '' order by f.n) end
    from (
      select
        p.n,
        case
          when p.n % 2 = 1 then case when p_html then replace(interlock.escape_html(p.part), E'\n', '<br>') else p.part end
          when p_html and btrim(p.part) = 'order_url' then
            '<a href="' || interlock.escape_html(p_values ->> 'order_url') || '">' || interlock.escape_html(p_values ->> 'order_url') || '</a>'
          when p_html then interlock.escape_html(p_values ->> btrim(p.part))
          else p_values ->> btrim(p.part)
        end as filled
      from regexp_split_to_table(p_text, '\{\{|\}\}') with ordinality as p (part, n)
    ) f
  );
end
$$;

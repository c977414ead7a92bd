-- A row of a receipt as lines of so many columns. What stands on the right is on the last of them.
--
-- Callers: interlock.sale_receipt, interlock.render_mail.
-- Locks: none.
create function interlock.receipt_as_text(p_style text, p_left text, p_right text, p_columns int)
returns text
language plpgsql
immutable
set search_path = ''
as $$
declare
  v_indent constant text := case p_style when 'detail' then '  ' else '' end;
  v_width constant int := interlock.text_width(coalesce(p_right, ''));
  v_lines text[];
begin
  if p_style = 'rule' then
    return repeat('-', p_columns);
  elsif p_style in ('title', 'centre', 'banner') then
    return (
      select string_agg(repeat(' ', (p_columns - interlock.text_width(l.line)) / 2) || l.line, E'\n' order by l.n)
      from unnest(interlock.wrap_text(
        case p_style when 'banner' then format('*** %s ***', p_left) else p_left end, p_columns
      )) with ordinality as l (line, n)
    );
  end if;

  v_lines := interlock.wrap_text(p_left, p_columns - length(v_indent) - case v_width when 0 then 0 else v_width + 1 end);
  return (
    select string_agg(
      v_indent || l.line || case when l.n = cardinality(v_lines) and v_width > 0 then
        repeat(' ', p_columns - length(v_indent) - interlock.text_width(l.line) - v_width) || p_right else '' end,
      E'\n' order by l.n
    )
    from unnest(v_lines) with ordinality as l (line, n)
  );
end
$$;

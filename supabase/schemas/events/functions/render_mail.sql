-- A mail about an order: `{subject, text, html}`. Of its template a paragraph is left out that has nothing to say.
--
-- Callers: interlock.write_mail, interlock.preview_mail.
-- Locks: none.
create function interlock.render_mail(
  p_order interlock.orders, p_kind text, p_language text, p_event_type text, p_at timestamptz
)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_template constant interlock.mail_templates := interlock.mail_template(p_kind, p_language);
  v_values constant jsonb := interlock.mail_values(p_order, p_kind, p_language, p_event_type, p_at);
  v_subject constant text := interlock.fill_mail(v_template.subject, v_values, false);
  v_shop constant text := v_values ->> 'shop';
  v_address constant text := (select s.shop_address from interlock.settings s);
  v_lines_text text;
  v_lines_html text;
  v_text text;
  v_html text;
begin
  select
    string_agg(interlock.receipt_as_text(r.style, r.o_left, r.o_right, 60), E'\n' order by r.n),
    '<table role="presentation">' || string_agg(
      format('<tr class="%s"><td>%s</td><td>%s</td></tr>', r.style, interlock.escape_html(r.o_left), interlock.escape_html(r.o_right)),
      E'\n' order by r.n
    ) || '</table>'
  into v_lines_text, v_lines_html
  from interlock.mail_rows(p_order, p_kind, p_language, p_event_type, p_at) r;

  select string_agg(f.text, E'\n\n' order by f.n), string_agg(f.html, E'\n' order by f.n)
  into v_text, v_html
  from (
    select
      p.n,
      case when p.is_table then v_lines_text else interlock.fill_mail(p.paragraph, v_values, false) end as text,
      case when p.is_table then v_lines_html else '<p>' || interlock.fill_mail(p.paragraph, v_values, true) || '</p>' end as html
    from (
      select s.n, btrim(s.part, E' \t\r\n') as paragraph, s.part ~ '^\s*\{\{ *lines *\}\}\s*$' as is_table
      from regexp_split_to_table(v_template.body, '\r?\n[ \t]*\r?\n') with ordinality as s (part, n)
    ) p
    where p.paragraph <> ''
  ) f;

  return jsonb_build_object(
    'subject', coalesce(v_subject, v_shop),
    'text', concat_ws(E'\n\n', v_text, concat_ws(E'\n', '-- ', v_shop, v_address)) || E'\n',
    'html', case
      when v_template.html is null then interlock.mail_page(
        p_language, interlock.escape_html(coalesce(v_subject, v_shop)), interlock.escape_html(v_shop), v_html,
        replace(interlock.escape_html(concat_ws(E'\n', v_shop, v_address)), E'\n', '<br>')
      )
      else (
        select string_agg(
          case
            when p.n % 2 = 1 then p.part
            when btrim(p.part) = 'body' then v_html
            when btrim(p.part) = 'lines' then v_lines_html
            else interlock.escape_html(v_values ->> btrim(p.part))
          end,
          '' order by p.n
        )
        from regexp_split_to_table(v_template.html, '\{\{|\}\}') with ordinality as p (part, n)
      )
    end
  );
end
$$;

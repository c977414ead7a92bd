-- What public.set_mail_template does, with its owner's rights: puts the shop's own words in place of a mail's, in a language;
-- without subject and body the usual ones count again.
--
-- Callers: authenticated (staff) and service_role, through public.set_mail_template.
-- Locks: the template's row.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED; 55P03 is transient.
-- Security definer: nobody has the right to write templates.
create function interlock.set_mail_template(p_kind text, p_language text, p_subject text, p_body text, p_html text)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_problems jsonb;
  v_placeholders constant text[] := interlock.mail_placeholders();
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  perform interlock.refuse_unless_shop();
  v_problems := interlock.find_mail_problems(p_kind, p_language);
  if num_nonnulls(p_subject, p_body) = 1 or num_nonnulls(p_subject, p_body, p_html) = 1 then
    v_problems := v_problems || interlock.problem('', 'must have p_subject and p_body, or neither');
  end if;
  if not interlock.is_line(p_subject, 200) then
    v_problems := v_problems || interlock.problem('/p_subject', 'must be one line of at most 200 characters');
  end if;
  if not char_length(p_body) between 1 and 20000 then
    v_problems := v_problems || interlock.problem('/p_body', 'must have 1 to 20000 characters');
  end if;
  if not char_length(p_html) between 1 and 50000 then
    v_problems := v_problems || interlock.problem('/p_html', 'must have 1 to 50000 characters');
  elsif p_html !~ '\{\{ *body *\}\}' then
    v_problems := v_problems || interlock.problem('/p_html', 'must have {{body}} in it');
  end if;
  perform interlock.refuse_problems(
    v_problems
    -- These every mail has.
    || interlock.find_template_problems('/p_subject', p_subject, array['shop', 'order_number', 'order_date', 'total'])
    || interlock.find_template_problems('/p_body', p_body, v_placeholders)
    || interlock.find_template_problems('/p_html', p_html, v_placeholders || '{body}')
  );

  if p_subject is null then
    delete from interlock.mail_templates t where t.kind = p_kind and t.language = p_language;
  else
    insert into interlock.mail_templates (kind, language, subject, body, html)
    values (p_kind, p_language, p_subject, p_body, p_html)
    on conflict on constraint mail_templates_pkey
    do update set subject = excluded.subject, body = excluded.body, html = excluded.html;
  end if;
  return jsonb_build_object(
    'success', true, 'template', to_jsonb(interlock.mail_template(p_kind, p_language))
  );
end
$$;

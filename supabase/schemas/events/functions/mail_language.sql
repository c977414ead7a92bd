-- The language of an order: what its contact says (`locale`, such as de-AT), its metadata, or its buyer's account; else the
-- one of the settings.
--
-- Callers: interlock.write_mail, interlock.preview_mail.
-- Locks: none.
create function interlock.mail_language(p_order_id uuid)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return coalesce(
    (
      select l.language
      from interlock.orders o
      left join interlock.order_details d on d.order_id = o.id
      left join interlock.accounts u on u.id = o.user_id
      cross join lateral (values
        (1, d.contact ->> 'locale'), (2, d.metadata ->> 'locale'), (3, u.raw_user_meta_data ->> 'locale')
      ) as s (n, locale)
      cross join lateral (select lower(substring(s.locale from '^[A-Za-z]{2}(?![A-Za-z])')) as language) l
      where o.id = p_order_id
        and l.language in ('en', 'de')
      order by s.n
      limit 1
    ),
    (select s.language from interlock.mail_settings s),
    'en'
  );
end
$$;

-- The shop's own words in place of those of interlock.mail_template. Written by set_mail_template.
create table interlock.mail_templates (
  kind interlock.mail_kind not null,
  language interlock.mail_language not null,
  subject interlock.label not null,
  body interlock.mail_text not null,
  html interlock.mail_html,
  constraint mail_templates_pkey primary key (kind, language)
);

comment on table interlock.mail_templates is
  'The shop''s own words for its mails. Written by set_mail_template.';
comment on column interlock.mail_templates.body is
  'Paragraphs with placeholders; one of which a placeholder is empty is left out.';
comment on column interlock.mail_templates.html is
  'A page around them, with {{body}} in it; null: the usual one.';

alter table interlock.mail_templates enable row level security;

grant select on table interlock.mail_templates to service_role;

-- A page around the paragraphs of a mail. It is light or dark as its reader has it.
--
-- Callers: interlock.render_mail.
-- Locks: none.
create function interlock.mail_page(p_language text, p_title text, p_shop text, p_body text, p_footer text)
returns text
language sql
immutable
set search_path = ''
as $$
  select format($html$<!doctype html>
<html lang="%1$s">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title>%2$s</title>
<style>
:root { color-scheme: light dark; }
body { margin: 0; background: #f3f4f6; color: #1f2430; }
main { box-sizing: border-box; margin: 0 auto; max-width: 600px; padding: 24px 16px; font: 16px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; overflow-wrap: anywhere; }
section { border-radius: 8px; padding: 24px; background: #fff; }
h1 { margin: 0 0 16px; font-size: 20px; line-height: 1.3; }
p { margin: 0 0 16px; }
section p:last-child { margin: 0; }
a { color: #1d4ed8; }
table { margin: 0 0 16px; width: 100%%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
td { padding: 6px 0; border-top: 1px solid #e3e5ea; vertical-align: top; text-align: left; }
td:first-child { width: 100%%; }
td + td { padding-left: 16px; text-align: right; white-space: nowrap; }
.detail td { padding: 0 0 6px; border: 0; color: #5b6270; font-size: 14px; }
.detail td + td { padding-left: 16px; }
.total td { border-top: 2px solid #1f2430; font-weight: 700; }
footer { padding: 16px 24px 0; color: #5b6270; font-size: 13px; }
@media (prefers-color-scheme: dark) {
body { background: #14161b; color: #e8eaf0; }
section { background: #1f232b; }
a { color: #93b4ff; }
td { border-color: #363c48; }
.detail td, footer { color: #a3abba; }
.total td { border-color: #e8eaf0; }
}
@media (max-width: 480px) {
main { padding: 0; }
section { border-radius: 0; padding: 20px 16px; }
footer { padding: 16px; }
}
</style>
</head>
<body>
<main>
<section>
<h1>%3$s</h1>
%4$s
</section>
<footer>%5$s</footer>
</main>
</body>
</html>
$html$, p_language, p_title, p_shop, p_body, p_footer)
$$;

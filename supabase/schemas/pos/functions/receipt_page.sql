-- A page around the rows of a receipt, for paper of so many millimetres.
--
-- Callers: interlock.sale_receipt.
-- Locks: none.
create function interlock.receipt_page(p_language text, p_title text, p_width int, p_rows text)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return format($html$<!doctype html>
<html lang="%1$s">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>%2$s</title>
<style>
@page { margin: 0; size: %3$smm 297mm; }
body { margin: 0; background: #fff; color: #000; }
main { box-sizing: border-box; margin: 0 auto; max-width: %3$smm; padding: 4mm 3mm; font: %4$smm/1.4 system-ui, sans-serif; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
h1 { margin: 0 0 1mm; font-size: 1.5em; line-height: 1.2; text-align: center; }
p { margin: 0; text-align: center; }
hr { margin: 2mm 0; border: 0; border-top: 0.3mm dashed #000; }
div { display: flex; justify-content: space-between; align-items: end; gap: 3mm; break-inside: avoid; }
span + span { flex: none; }
.detail { padding-left: 3mm; }
.total { margin: 1mm 0; font-size: 1.35em; font-weight: bold; }
.banner { margin: 1mm 0; border: 0.5mm solid #000; font-size: 1.5em; font-weight: bold; }
</style>
</head>
<body>
<main>
%5$s
</main>
</body>
</html>
$html$, p_language, p_title, p_width, case when p_width < 80 then 2.7 else 3.3 end, p_rows);
end
$$;

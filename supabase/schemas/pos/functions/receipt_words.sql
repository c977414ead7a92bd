-- What receipts say, in a language.
--
-- Callers: interlock.receipt_rows, interlock.mail_words.
-- Locks: none.
create function interlock.receipt_words(p_language text)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
begin
  return case p_language
    when 'de' then jsonb_build_object(
      'tax_id', 'USt-IdNr.', 'receipt', 'Bon', 'till', 'Kasse', 'void', 'STORNIERT', 'discount', 'Rabatt',
      'subtotal', 'Zwischensumme', 'total', 'SUMME', 'cash', 'Bar', 'card', 'Karte', 'wallet', 'Guthaben', 'points', 'Punkte', 'change', 'Rückgeld',
      'customer', 'Kunde', 'returned', 'Rückgabe', 'tax_back', 'MwSt. der Rückgaben', 'promo', 'Code', 'earned', 'Punkte gesammelt', 'spent', 'Punkte eingelöst', 'taken_back', 'Punkte abgezogen', 'given_back', 'Punkte zurück', 'balance', 'Punktestand',
      'tax_in', 'Enth. MwSt. %s %% aus %s', 'tax_on', 'zzgl. MwSt. %s %% auf %s', 'date', 'DD.MM.YYYY HH24:MI'
    )
    else jsonb_build_object(
      'tax_id', 'Tax ID', 'receipt', 'Receipt', 'till', 'Till', 'void', 'VOID', 'discount', 'Discount',
      'subtotal', 'Subtotal', 'total', 'TOTAL', 'cash', 'Cash', 'card', 'Card', 'wallet', 'Wallet', 'points', 'Points', 'change', 'Change',
      'customer', 'Customer', 'returned', 'Returned', 'tax_back', 'Tax on what came back', 'promo', 'Code', 'earned', 'Points earned', 'spent', 'Points spent', 'taken_back', 'Points taken back', 'given_back', 'Points given back', 'balance', 'Points now',
      'tax_in', 'Incl. tax %s %% on %s', 'tax_on', 'Tax %s %% on %s', 'date', 'YYYY-MM-DD HH24:MI'
    )
  end;
end
$$;

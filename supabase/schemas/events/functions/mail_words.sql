-- Words of mails beside those of receipts, in a language.
--
-- Callers: interlock.mail_rows, interlock.mail_values.
-- Locks: none.
create function interlock.mail_words(p_language text)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
begin
  return interlock.receipt_words(p_language) || case p_language
    when 'de' then jsonb_build_object(
      'shipping', 'Versand', 'total', 'Gesamt', 'wallet_part', 'davon aus dem Guthaben', 'refund', 'Erstattung', 'day', 'DD.MM.YYYY',
      'wallet', 'Guthaben', 'card', 'Karte', 'bank_transfer', 'Überweisung', 'cash_on_delivery', 'Barzahlung bei Lieferung'
    )
    else jsonb_build_object(
      'shipping', 'Shipping', 'total', 'Total', 'wallet_part', 'of it from your balance', 'refund', 'Refund', 'day', 'YYYY-MM-DD',
      'wallet', 'balance', 'card', 'card', 'bank_transfer', 'bank transfer', 'cash_on_delivery', 'cash on delivery'
    )
  end;
end
$$;

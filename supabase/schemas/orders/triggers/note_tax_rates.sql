-- Trigger: keep in settings.taxed whether there are tax rates.
--
-- The lock comes first and the look is a statement of its own, so that of two changes at once the second one sees both.
--
-- Callers: trigger tax_rates_noted, once for each statement.
-- Locks: the row of interlock.settings, waiting.
-- Security definer: whoever may change rates need not have rights on the settings.
create function interlock.note_tax_rates()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  perform 1 from interlock.settings for no key update;
  update interlock.settings s
  set taxed = not s.taxed
  where s.taxed <> exists (select from interlock.tax_rates);
  return null;
end
$$;

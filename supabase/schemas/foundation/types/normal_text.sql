-- The normal form of text that people type: by it texts are compared, never shown.
--
-- Texts have the same normal form if they look the same to whoever types them: Unicode NFKC (one form of é, plain
-- letters for full-width ones), no case (`GROß` is `gross`; the Turkish İ, I and ı are one letter, as no keyboard
-- language is known here), no blanks and nothing invisible, wherever it stands.
--
-- Nothing here depends on the locale of the database: ICU's root collation knows the case of every letter, and is the
-- same in each database. Upper case alone would leave ẞ beside SS, lower case alone ß.
--
-- Callers: every table that has texts which are typed, and whoever looks for one of them.
-- Locks: none.
create function interlock.normal_text(p_text text)
returns text
language plpgsql
immutable
strict
parallel safe
set search_path = ''
as $$
begin
  return normalize(
    replace(
      lower(upper(lower(
        regexp_replace(
          normalize(p_text, nfkc) collate "C",
          -- Unicode's White_Space and Default_Ignorable_Code_Point.
          '[\u0009-\u000d\u0020\u0085\u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U000e0000-\U000e0fff]+',
          '',
          'g'
        ) collate "und-x-icu"
      ))),
      -- İ in lower case, in two characters.
      U&'i\0307', 'i'
    ),
    nfkc
  );
end
$$;

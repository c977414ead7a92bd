-- How many columns of a printer a text takes: two for what is wide (Chinese, Japanese, Korean, emoji), none for what joins the
-- character before it.
--
-- Callers: interlock.wrap_text, interlock.receipt_as_text.
-- Locks: none.
create function interlock.text_width(p_text text)
returns int
language plpgsql
immutable
set search_path = ''
as $$
begin
  return char_length(p_text)
    - char_length(regexp_replace(
      p_text, '[^\u0300-\u036f\u200b-\u200f\u20d0-\u20ff\ufe00-\ufe0f\U0001f3fb-\U0001f3ff]', '', 'g'
    ))
    + char_length(regexp_replace(
      p_text,
      '[^\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\U0001f300-\U0001f3fa\U0001f400-\U0001faff\U00020000-\U0003fffd]',
      '', 'g'
    ));
end
$$;

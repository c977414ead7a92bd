-- How many rows of a linked table are still to be taken over.
--
-- Callers: interlock.fill_link, interlock.fill_customers.
-- Locks: none.
create function interlock.left_to_fill(p_links text, p_link_id uuid, p_source regclass, p_id_column text)
returns bigint
language plpgsql
set search_path = ''
as $$
declare
  v_left bigint;
begin
  execute format(
    $sql$
      select count(*)
      from %2$s s
      where not exists (
        select
        from interlock.%3$I m
        where m.link_id = $1
          and m.source_id = s.%1$I::text
          and m.filled
      )
    $sql$,
    p_id_column, interlock.source_name(p_source), p_links
  ) into v_left using p_link_id;
  return v_left;
end
$$;

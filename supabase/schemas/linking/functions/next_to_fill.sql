-- The next rows of a linked table that were not taken over yet, in the order of their keys: p_limit of them at most, from p_after
-- on, and from the beginning once there are none behind it. Rows that somebody holds are passed over. p_links is the table that
-- says which are: linked_products or linked_customers.
--
-- Callers: interlock.fill_link, interlock.fill_customers.
-- Locks: rows of the shop's table, never waiting.
create function interlock.next_to_fill(
  p_links text, p_link_id uuid, p_source regclass, p_id_column text, p_id_type text, p_after text, p_limit int
)
returns text[]
language plpgsql
set search_path = ''
as $$
declare
  v_after text := p_after;
  v_ids text[];
begin
  loop
    execute format(
      $sql$
        select array_agg(r.source_id)
        from (
          select s.%1$I::text as source_id
          from %2$s s
          where ($1 is null or s.%1$I > $1::%3$s)
            and not exists (
              select
              from interlock.%4$I m
              where m.link_id = $2
                and m.source_id = s.%1$I::text
                and m.filled
            )
          order by s.%1$I
          limit $3
          for no key update of s skip locked
        ) r
      $sql$,
      p_id_column, interlock.source_name(p_source), p_id_type, p_links
    ) into v_ids using v_after, p_link_id, greatest(coalesce(p_limit, 1000), 1);
    exit when v_ids is not null or v_after is null;
    -- Once more from the beginning: rows that were passed over.
    v_after := null;
  end loop;
  return v_ids;
end
$$;

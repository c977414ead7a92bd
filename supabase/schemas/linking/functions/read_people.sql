-- Read rows of a linked table of customers as Interlock would have them, those of p_ids or all of them, with all that is wrong with
-- each row by itself. Names of tables and columns come from the catalogue or were compared with it, and are quoted here.
--
-- Callers: interlock.match_people.
-- Locks: none.
create function interlock.read_people(p_link interlock.customer_links, p_ids text[])
returns setof interlock.linked_person
language plpgsql
stable
set search_path = ''
as $$
begin
  return query execute format(
    $sql$
      select
        r.source_id,
        case when interlock.is_line(r.name, 200) then r.name end,
        interlock.normal_email(r.email),
        interlock.normal_phone(r.phone),
        u.id,
        r.marketing,
        null::uuid,
        null::text,
        array_remove(array[
          case when r.source_id is null then 'id_null' when char_length(r.source_id) not between 1 and 200 then 'id_long' end,
          case when interlock.normal_email(r.source_id) is not null then 'id_personal' end
        ], null),
        array_remove(array[
          case when not interlock.is_line(r.name, 200) then 'name_unfit' end,
          case when r.email is not null and interlock.normal_email(r.email) is null then 'email_unfit' end,
          case when r.phone is not null and interlock.normal_phone(r.phone) is null then 'phone_unfit' end,
          case when r.user_id is not null and u.id is null then 'user_unknown' end
        ], null)
      from (
        select
          s.%1$I::text as source_id,
          nullif(btrim(%2$s), '') as name,
          nullif(btrim(%3$s), '') as email,
          nullif(btrim(%4$s), '') as phone,
          %5$s as user_id,
          %6$s as marketing
        from %7$s s
        where %8$s
      ) r
      left join interlock.accounts u on u.id = r.user_id
    $sql$,
    p_link.id_column,
    case
      when p_link.name_columns is null then 'null::text'
      else (select format('concat_ws('' '', %s)', string_agg(format('nullif(btrim(s.%I::text), '''')', c.name), ', ' order by c.n)) from unnest(p_link.name_columns) with ordinality as c (name, n))
    end,
    case when p_link.email_column is null then 'null::text' else format('s.%I::text', p_link.email_column) end,
    case when p_link.phone_column is null then 'null::text' else format('s.%I::text', p_link.phone_column) end,
    case when p_link.user_column is null then 'null::uuid' else format('s.%I::uuid', p_link.user_column) end,
    case
      when p_link.marketing_column is null then 'null::boolean'
      when p_link.marketing_values is null then format('coalesce(s.%I::boolean, false)', p_link.marketing_column)
      else format('coalesce(s.%I::text = any (%L::text[]), false)', p_link.marketing_column, p_link.marketing_values)
    end,
    interlock.source_name(p_link.source),
    case when p_ids is null then 'true' else format('s.%I = any ($1::%s[])', p_link.id_column, p_link.id_type) end
  ) using p_ids;
end
$$;

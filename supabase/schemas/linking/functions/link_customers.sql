-- Link a table of the shop's own to the customers: from then on who is written there is a customer in Interlock in the same
-- transaction, whom tills find. With p_dry_run it only says what there is and all that is in the way.
--
--   p_map        {"id", "name"?, "email"?, "phone"?, "user"?, "marketing"?}: names of columns; name may be several,
--                marketing {"column": "consent", "in": ["yes"]}
--   p_same_by    by what a row is a customer whom Interlock has already: user, email, phone. Only what the app has verified
--   p_unfit      what becomes of a name, e-mail, phone or account that cannot be taken over: refuse or leave_out
--   p_on_delete  what becomes of the customer of a row that is deleted: erase or keep
--   p_on_erase   what becomes of the row of a customer who is taken out: keep, clear or delete
--   p_fill       how many of the rows that are there are taken over at once; a job takes the rest
--
-- It makes triggers, so it is for migrations and the SQL editor.
--
-- Callers: postgres.
-- Locks: the shop's table against writing, waiting two seconds; customers against it with the first link that clears or deletes; the
--   link; as interlock.bring_customers.
-- Errors: VALIDATION_FAILED with everything that is in the way; those of interlock.bring_customers; 55P03 is transient.
create function interlock.link_customers(
  p_source regclass,
  p_map jsonb,
  p_same_by text[] default '{user}',
  p_unfit text default 'refuse',
  p_on_delete text default 'erase',
  p_on_erase text default 'keep',
  p_dry_run boolean default false,
  p_fill int default 1000,
  p_search_path text default current_setting('search_path')
)
returns jsonb
language plpgsql
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_source constant text := interlock.source_name(p_source);
  v_problems jsonb := interlock.find_customer_link_problems(p_source, p_map, p_on_erase);
  v_link interlock.customer_links;
  v_former interlock.customer_links;
  v_people interlock.linked_person[];
  v_left_out jsonb := jsonb '[]';
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  if p_same_by is null or not p_same_by <@ '{user,email,phone}' then
    v_problems := v_problems || interlock.problem('/p_same_by', 'must be some of user, email, phone, or none');
  end if;
  if p_unfit is null or p_unfit not in ('refuse', 'leave_out') then
    v_problems := v_problems || interlock.problem('/p_unfit', 'must be refuse or leave_out');
  end if;
  if p_on_delete is null or p_on_delete not in ('erase', 'keep') then
    v_problems := v_problems || interlock.problem('/p_on_delete', 'must be erase or keep');
  end if;
  if p_on_erase is null or p_on_erase not in ('keep', 'clear', 'delete') then
    v_problems := v_problems || interlock.problem('/p_on_erase', 'must be keep, clear or delete');
  end if;
  select l.* into v_former from interlock.customer_links l where l.source = p_source;
  if v_former.active then
    v_problems := v_problems || interlock.problem(
      '/p_source', format('is linked: select interlock.unlink_customers(%L) ends that', v_source)
    );
  elsif v_former.id_column <> p_map ->> 'id' then
    v_problems := v_problems || interlock.problem('/p_map/id', format(
      'was %I before: select interlock.unlink_customers(%L, p_forget => true) forgets which row is which customer',
      v_former.id_column, v_source
    ));
  end if;
  if exists (select from interlock.product_links l where l.source = p_source and l.active) then
    v_problems := v_problems || interlock.problem('/p_source', 'is linked to products');
  end if;

  if v_problems = '[]' then
    v_link.id := coalesce(v_former.id, interlock.new_id());
    v_link.source := p_source;
    v_link.id_column := p_map ->> 'id';
    v_link.name_columns := case jsonb_typeof(p_map -> 'name')
      when 'string' then array[p_map ->> 'name']
      when 'array' then array(select jsonb_array_elements_text(p_map -> 'name'))
    end;
    v_link.email_column := p_map ->> 'email';
    v_link.phone_column := p_map ->> 'phone';
    v_link.user_column := p_map ->> 'user';
    v_link.marketing_column := coalesce(
      p_map -> 'marketing' ->> 'column', case when jsonb_typeof(p_map -> 'marketing') = 'string' then p_map ->> 'marketing' end
    );
    v_link.marketing_values := case
      when p_map -> 'marketing' ? 'in' then array(select jsonb_array_elements_text(p_map -> 'marketing' -> 'in'))
    end;
    v_link.same_by := p_same_by;
    v_link.unfit := p_unfit;
    v_link.on_delete := p_on_delete;
    v_link.on_erase := p_on_erase;
    v_link.source_search_path := p_search_path;
    v_link.active := true;
    v_link.created_at := coalesce(v_former.created_at, now());
    select pg_catalog.format_type(a.atttypid, null) into v_link.id_type
    from pg_catalog.pg_attribute a
    where a.attrelid = p_source
      and a.attname = v_link.id_column;

    v_people := array(select p from interlock.match_people(v_link) p);
    if p_unfit = 'leave_out' then
      v_left_out := interlock.find_people_problems(v_people, true);
      v_people := array(
        select (
          p.source_id, p.name, p.email, p.phone, p.user_id, p.marketing, p.customer_id, p.state, p.problems, '{}'::text[]
        )::interlock.linked_person
        from unnest(v_people) p
      );
    end if;
    v_problems := interlock.find_people_problems(v_people, false);
  end if;

  if p_dry_run then
    return jsonb_build_object(
      'success', v_problems = '[]', 'dry_run', true, 'source', v_source, 'problems', v_problems, 'left_out', v_left_out,
      'rows', cardinality(v_people), 'known', (select count(*) from unnest(v_people) p where p.state <> 'new')
    );
  end if;
  perform interlock.refuse_problems(v_problems);

  perform interlock.make_link_triggers(p_source, 'note_linked_people');
  if p_on_erase <> 'keep' and not exists (
    select
    from pg_catalog.pg_trigger t
    where t.tgrelid = 'interlock.customers'::regclass
      and t.tgname = 'customers_erased_rows'
  ) then
    execute $sql$
      create trigger customers_erased_rows after update on interlock.customers
        for each row when (new.erased_at is not null and old.erased_at is null)
        execute function interlock.erase_linked_rows()
    $sql$;
  end if;

  insert into interlock.customer_links select v_link.*
  on conflict on constraint customer_links_pkey do update
  set id_type = excluded.id_type,
      name_columns = excluded.name_columns,
      email_column = excluded.email_column,
      phone_column = excluded.phone_column,
      user_column = excluded.user_column,
      marketing_column = excluded.marketing_column,
      marketing_values = excluded.marketing_values,
      same_by = excluded.same_by,
      unfit = excluded.unfit,
      on_delete = excluded.on_delete,
      on_erase = excluded.on_erase,
      source_search_path = excluded.source_search_path,
      active = true;

  return interlock.fill_customers(p_source, p_fill) || jsonb_build_object(
    'dry_run', false, 'problems', v_problems, 'left_out', v_left_out, 'rows', cardinality(v_people),
    'known', (select count(*) from unnest(v_people) p where p.state <> 'new')
  );
end
$$;

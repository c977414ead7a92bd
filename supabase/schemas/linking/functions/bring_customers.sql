-- Bring rows of a linked table to their customers, as they are in this transaction. p_entries says for each what of it has changed,
-- by the names of the map: that is taken over, also where it is empty now. Without it, and for a customer whom Interlock had before,
-- all that the row has is, and what it says nothing of stays. Consent to marketing that was withdrawn here is not given again by a row
-- that is only taken over. A row that is gone takes the person out, or leaves them, as the link says.
--
-- Whoever was taken out, or merged into the customer of another row, does not come back by a row that still names them.
--
-- Callers: interlock.bring_linked_changes, interlock.fill_customers.
-- Locks: accounts that rows name, against removal, by id; points of customers whose account changes or who are taken out, by id;
--   customers by id; then e-mail, phone and account in their indexes, waiting for who takes the same.
-- Errors: VALIDATION_FAILED with all rows that are not in order; CONTACT_TAKEN if somebody takes the same again and again; 55P03 after
--   lock_timeout.
create function interlock.bring_customers(
  p_link interlock.customer_links, p_ids text[], p_entries text[] default null
)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_people interlock.linked_person[];
  v_problems jsonb;
  v_gone text[];
  v_written uuid[];
  v_tries int := 0;
begin
  v_people := array(select p from interlock.match_people(p_link, p_ids, p_entries) p);
  perform 1
  from interlock.accounts u
  where u.id in (select p.user_id from unnest(v_people) p)
  order by u.id
  for key share;

  v_gone := array(
    select m.source_id
    from interlock.linked_customers m
    where m.link_id = p_link.id
      and m.source_id = any (p_ids)
    except
    select p.source_id from unnest(v_people) p
  );
  if p_link.on_delete = 'erase' then
    -- One who was merged into somebody else has nothing left to take out.
    perform interlock.forget_customer(g.id)
    from (
      select c.id
      from interlock.linked_customers m
      join interlock.customers c on c.id = m.customer_id
      where m.link_id = p_link.id
        and m.source_id = any (v_gone)
        and num_nonnulls(c.erased_at, c.merged_into) = 0
      order by c.id
    ) g;
  end if;
  delete from interlock.linked_customers m where m.link_id = p_link.id and m.source_id = any (v_gone);

  -- What the orders of an account have earned so far is that of who had it.
  perform interlock.lock_points(c.id)
  from (
    select c.id
    from unnest(v_people) p
    join interlock.customers c on c.id = p.customer_id
    where p.state in ('known', 'linked')
      and c.user_id is distinct from p.user_id
    order by c.id
  ) c;
  perform 1
  from interlock.customers c
  where c.id in (select p.customer_id from unnest(v_people) p where p.state in ('known', 'linked'))
  order by c.id
  for no key update;

  loop
    v_tries := v_tries + 1;
    v_people := array(select p from interlock.match_people(p_link, p_ids, p_entries) p);
    select jsonb_agg(q.problem)
    into v_problems
    from (
      select interlock.problem('/' || p.source_id || '/' || s.entry, s.message || ': ' || s.todo) -> 0 as problem
      from unnest(v_people) p
      cross join unnest(p.problems || case p_link.unfit when 'refuse' then p.unfit end) as u (problem)
      join interlock.source_problems() s on s.problem = u.problem
      order by p.source_id, s.entry
      limit 20
    ) q;
    if v_problems is not null then
      perform interlock.refuse_problems(v_problems);
    end if;
    begin
      v_written := interlock.write_people(p_link, v_people, p_ids, p_entries);
      exit;
    exception
      when unique_violation then
        -- Somebody has committed the same meanwhile: it is theirs.
        if v_tries >= 5 then
          perform interlock.raise_error('CONTACT_TAKEN', jsonb_build_object('source_ids', to_jsonb(p_ids[1:20])));
        end if;
    end;
  end loop;

  perform interlock.note_customer(w.id) from unnest(v_written) as w (id);
end
$$;

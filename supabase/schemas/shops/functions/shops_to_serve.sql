-- For whom a job works: for shop after shop where there are many, each time from another one on, so that none is last whenever time is up; else, and
-- for what is the installation's, for nobody in particular, which is null.
--
-- Callers: the jobs of interlock.jobs; interlock.in_each_shop.
create function interlock.shops_to_serve(p_each boolean)
returns int[]
language plpgsql
set search_path = ''
as $$
declare
  v_first constant double precision := random();
begin
  if not p_each or not interlock.serves_shops() then
    return array[null::int];
  end if;
  return array(
    select s.id
    from interlock.shops s
    where s.state <> 'moving'
    order by s.id < v_first * (select max(l.id) + 1 from interlock.shops l), s.id
  );
end
$$;

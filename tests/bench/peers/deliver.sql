-- What the function deliver asks of the database for up to twenty deliveries: claims them, and records that each was accepted. Answers
-- how many there were.
create function bench_peers.deliver(p_secret text)
returns text
language plpgsql
as $$
declare
  v_claimed constant jsonb := public.claim_deliveries(p_secret, 20) -> 'deliveries';
  v_one jsonb;
begin
  for v_one in select jsonb_array_elements(v_claimed) loop
    perform public.record_delivery((v_one ->> 'id')::bigint, (v_one ->> 'lease')::uuid, 200, p_duration_ms => 1);
  end loop;
  return jsonb_array_length(v_claimed)::text;
end
$$;

create function public.record_delivery(
  p_delivery_id bigint,
  p_lease uuid,
  p_status int default null,
  p_error text default null,
  p_duration_ms int default null,
  p_retry_after_s int default null,
  p_answer text default null
)
returns jsonb
language sql
volatile
security invoker
set search_path = ''
as $$
  select interlock.record_delivery(
    p_delivery_id, p_lease, p_status, p_error, p_duration_ms, p_retry_after_s, p_answer
  )
$$;

comment on function public.record_delivery(bigint, uuid, int, text, int, int, text) is
  'What came of an attempt to deliver, told by who has its lease. Called by the function deliver.';

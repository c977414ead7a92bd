-- What is told outside is claimed, recorded and set up at read committed only: at another level it would be written over what
-- somebody else has changed since.

begin isolation level repeatable read;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select plan(17);

select throws_ok(format('select public.%s', call), 'PT500', 'ISOLATION_LEVEL_UNSUPPORTED', call)
from unnest(array[
  $$claim_deliveries('x')$$, $$record_delivery(1, gen_random_uuid(), 200)$$, 'retry_delivery(1)', $$set_deliver_secret('x')$$,
  $$create_webhook_endpoint('x')$$, 'update_webhook_endpoint(gen_random_uuid())', 'delete_webhook_endpoint(gen_random_uuid())',
  'roll_webhook_secret(gen_random_uuid())', 'send_test_event(gen_random_uuid())', 'set_mail_settings()', $$set_mail_template('x', 'en')$$,
  $$suppress_email('x')$$, $$allow_email('x')$$, $$mail_webhook('x', 'x')$$, $$set_mail_webhook_secret('x')$$, $$set_crm_settings('x')$$,
  $$set_crm_mappings('[]')$$
]) as c (call);

select * from finish();
rollback;

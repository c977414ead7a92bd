-- A time-ordered UUID (version 7, RFC 9562): 48 bits of milliseconds, then random bits. Rows that come one after the
-- other stand beside each other in every index on their id, so a sale writes to few pages.
create function interlock.new_id()
returns uuid
language plpgsql
volatile
set search_path = ''
as $$
begin
  return encode(
    set_bit(
      set_bit(
        overlay(
          uuid_send(gen_random_uuid())
          placing substring(int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3)
          from 1 for 6
        ),
        52, 1
      ),
      53, 1
    ),
    'hex'
  )::uuid;
end
$$;

-- The fields of an order that a table of the shop's own can have: of which types a column can be (null: any into which its text can
-- be written), whether it can be empty, and whether it is money.
--
-- Callers: interlock.find_order_link_problems, interlock.order_row.
-- Locks: none.
create function interlock.order_fields()
returns table (field text, types text[], optional boolean, money boolean)
language sql
immutable
set search_path = ''
as $$
  values
    ('id', '{uuid,text,character varying}'::text[], false, false),
    ('number', '{integer,bigint,numeric,text,character varying}', false, false),
    ('status', null, false, false),
    ('fulfillment', null, false, false),
    ('payment_method', null, false, false),
    ('currency', '{text,character varying,character}', false, false),
    ('subtotal', '{integer,bigint,numeric,real,double precision}', false, true),
    ('discount', '{integer,bigint,numeric,real,double precision}', false, true),
    ('shipping', '{integer,bigint,numeric,real,double precision}', false, true),
    ('tax', '{integer,bigint,numeric,real,double precision}', false, true),
    ('total', '{integer,bigint,numeric,real,double precision}', false, true),
    ('refunded', '{integer,bigint,numeric,real,double precision}', false, true),
    ('user', '{uuid,text,character varying}', true, false),
    ('customer', '{uuid,smallint,integer,bigint,text,character varying}', true, false),
    ('created_at', '{timestamp with time zone,timestamp without time zone,date}', false, false),
    ('paid_at', '{timestamp with time zone,timestamp without time zone,date}', true, false),
    ('shipped_at', '{timestamp with time zone,timestamp without time zone,date}', true, false),
    ('fulfilled_at', '{timestamp with time zone,timestamp without time zone,date}', true, false),
    ('cancelled_at', '{timestamp with time zone,timestamp without time zone,date}', true, false),
    ('refunded_at', '{timestamp with time zone,timestamp without time zone,date}', true, false),
    ('tracking', '{text,character varying}', true, false),
    ('cart_id', '{uuid,text,character varying}', true, false),
    ('lines', '{jsonb,json}', false, true),
    ('shipping_address', '{jsonb,json}', true, false),
    ('contact', '{jsonb,json}', true, false),
    ('metadata', '{jsonb,json}', true, false)
$$;

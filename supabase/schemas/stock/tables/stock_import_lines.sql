-- Lines of a file of stock, as they were read and not yet looked at: `npm run import-stock` brings a long file in pieces, and
-- interlock.import_stock then takes all of it in one transaction. What is left of a file that was never taken goes with
-- the next one, after a day.
create table interlock.stock_import_lines (
  reference text not null,
  line int not null,
  product text,
  location text,
  quantity text,
  created_at timestamptz not null default now(),
  constraint stock_import_lines_pkey primary key (reference, line)
);

comment on table interlock.stock_import_lines is
  'Lines of files of stock on their way in, by npm run import-stock.';

alter table interlock.stock_import_lines enable row level security;

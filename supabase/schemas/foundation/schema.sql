-- Everything of Interlock lives in one schema that the API does not expose: tables, and the functions that run
-- with their owner's rights. `public` gets thin wrappers for RPC, and a view for each table that apps read, where
-- its name is free (foundation/functions/expose.sql). So it installs beside tables of any name.
--
-- The API's roles may look names up here, because wrappers and views run as their caller. What they may read,
-- write and call is granted by name: for a table in its file, for functions in the file rights.sql of each area.
create schema interlock;

comment on schema interlock is
  'Interlock: its tables, and functions that run with their owner''s rights. Not exposed by the API.';

-- The parts of a history that has parts (interlock.histories). Nobody but their owner may look a name up here: parts are read and
-- written through their table, with its rights, policies and triggers.
create schema interlock_parts;

comment on schema interlock_parts is
  'The parts of the histories of Interlock, by position. Not exposed by the API; nobody has a right here.';

grant usage on schema interlock to anon, authenticated, service_role;

-- The order in which things happened, over all histories that interlock.events tells of: those of one subject got their numbers
-- in the order in which they happened. A transaction that is not committed has numbers, too, so they do not become visible in order.
create sequence interlock.event_position as bigint;

comment on sequence interlock.event_position is
  'The order in which things happened, over all histories that interlock.events tells of.';

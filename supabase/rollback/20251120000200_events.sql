set local lock_timeout = '5s';

select interlock.conceal('events');
drop function
  interlock.note_event;
drop table
  interlock.events;
drop domain
  interlock.event_type;

create domain interlock.batch_status as text
  constraint batches_status_known
    check (value in ('available', 'claimed', 'in_progress', 'completed', 'cancelled'));

create domain interlock.batch_event as text
  constraint batch_events_event_known
    check (value in (
      'created', 'claimed', 'assigned', 'renewed', 'shortened', 'started', 'released',
      'expired', 'completed', 'cancelled', 'deleted'
    ));

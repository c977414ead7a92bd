-- Who may hear what is broadcast of a session, where the platform's realtime is there.
select interlock.prepare_realtime();

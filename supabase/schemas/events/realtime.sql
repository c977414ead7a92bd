-- Who may hear what is broadcast, where the platform's realtime is there.
select interlock.prepare_realtime();

-- Who may call what of events. What is not here belongs to its owner.
revoke execute on all functions in schema interlock from public;

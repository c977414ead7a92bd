-- Who may call what of events: nobody but the functions of this schema.
revoke execute on all functions in schema interlock from public;

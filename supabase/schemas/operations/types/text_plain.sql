-- What is answered as text and not as JSON: PostgREST and its kin take the name of a function's type for the media type.
create domain interlock."text/plain" as text
  constraint text_plain_not_empty check (value <> '');

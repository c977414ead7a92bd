-- Guessing promo codes is throttled: after 20 unknown codes in 10 minutes a user is refused whatever they send, a right
-- code too, until the oldest of the 20 is 10 minutes old. A code named for somebody else counts as unknown.
--
-- The count has to survive the refusal, and a raised error rolls back what it refuses. So an unknown code is
-- *answered*, not raised: interlock.refuse_unknown_promo counts, sets the HTTP status through `response.status` and
-- returns the body that PostgREST would have made of the error, {"code": "PT404", "message": "PROMO_NOT_FOUND",
-- "details", "hint"}. PostgREST commits, and the HTTP answer is the one of a raised error. Its caller must return that
-- body at once and must not have written anything before. A caller in SQL sees a row with "message" instead of an
-- exception. Every other refusal is raised.
create table interlock.promo_attempts (
  user_id uuid not null
    constraint promo_attempts_pkey primary key,
  attempted_at timestamptz[] not null
    constraint promo_attempts_bounded check (cardinality(attempted_at) between 1 and 20)
);

comment on table interlock.promo_attempts is
  'When each user sent unknown promo codes lately, oldest first: it limits how fast codes can be guessed.';

alter table interlock.promo_attempts enable row level security;

grant select, delete on table interlock.promo_attempts to service_role;

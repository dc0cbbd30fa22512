-- The last tick each schedule ran for: moved forward in the transaction that enqueues the tick's job, so any number
-- of schedulers and any loss of Redis still give one run per tick.
CREATE TABLE schedules (
  name          text PRIMARY KEY,
  last_tick_at  timestamptz,
  last_job_id   text,
  created_at    timestamptz NOT NULL DEFAULT now(),
  updated_at    timestamptz NOT NULL DEFAULT now()
);

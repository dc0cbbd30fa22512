-- Work waits here, and only here: Redis rings the bell, Postgres holds the job.
-- Finished jobs are deleted at once, so the table stays as small as the backlog; 'dead' jobs stay until someone decides.
-- fillfactor and the autovacuum settings suit rows that live for milliseconds and are updated once or twice.
CREATE TABLE job_queue (
  id            text PRIMARY KEY,
  queue_name    text NOT NULL,
  kind          text NOT NULL,
  payload       jsonb NOT NULL,
  status        text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'running', 'held', 'dead')),
  lane          smallint NOT NULL DEFAULT 0,
  key           text,
  key_limit     integer,
  attempts      integer NOT NULL DEFAULT 0,
  max_attempts  integer NOT NULL,
  scheduled_at  timestamptz NOT NULL DEFAULT now(),
  lease_id      text,
  leased_until  timestamptz,
  last_error    text,
  dedupe_key    text,
  processed_at  timestamptz,
  created_at    timestamptz NOT NULL DEFAULT now()
) WITH (
  fillfactor = 70,
  autovacuum_vacuum_scale_factor = 0.02,
  autovacuum_vacuum_threshold = 1000,
  autovacuum_vacuum_cost_delay = 0
);

COMMENT ON COLUMN job_queue.lane IS '0 first attempts, 1 retries, 2 replays: a lower lane is claimed first';
COMMENT ON COLUMN job_queue.key IS 'jobs of one key share an in-flight limit, key_limit, e.g. the webhook endpoint';
COMMENT ON COLUMN job_queue.lease_id IS 'the claim that holds this job; a result is accepted from this claim only';

-- What is due: a pending job at scheduled_at, a running one when its lease has run out (its worker is gone).
CREATE INDEX job_queue_due ON job_queue (queue_name, lane, (coalesce(leased_until, scheduled_at)))
  WHERE status IN ('pending', 'running');
CREATE INDEX job_queue_status ON job_queue (queue_name, status, id);
CREATE INDEX job_queue_key ON job_queue (key) WHERE key IS NOT NULL;
CREATE UNIQUE INDEX job_queue_dedupe ON job_queue (dedupe_key) WHERE dedupe_key IS NOT NULL AND status <> 'dead';

-- Jobs under control: queues that are paused, jobs that are cancelled while they run, how far a job is, and what it
-- returned, kept for as long as whoever wrote it asked. The version before goes on without all of it; a queue that is
-- paused is paused for workers of this version only.

CREATE TABLE paused_queues (
  name       text PRIMARY KEY,
  paused_at  timestamptz NOT NULL DEFAULT now()
);

ALTER TABLE job_queue
  ADD COLUMN cancelled_at         timestamptz,
  ADD COLUMN progress             json,
  ADD COLUMN keep_result_seconds  double precision;

COMMENT ON COLUMN job_queue.cancelled_at IS 'somebody wants it to end: its worker stops it, and no other begins it';
COMMENT ON COLUMN job_queue.progress IS '{"done", "total", "note"} as its kind reports it';
COMMENT ON COLUMN job_queue.keep_result_seconds IS 'how long job_results keeps its end; null: not at all';

-- Workers ask every second which of what they hold is cancelled.
CREATE INDEX job_queue_cancelled ON job_queue (lease_id) WHERE cancelled_at IS NOT NULL;

CREATE TABLE job_results (
  id           text PRIMARY KEY,
  queue_name   text NOT NULL,
  kind         text NOT NULL,
  status       text NOT NULL CHECK (status IN ('done', 'cancelled')),
  attempts     integer NOT NULL,
  result       json,
  created_at   timestamptz NOT NULL,
  finished_at  timestamptz NOT NULL DEFAULT now(),
  expires_at   timestamptz NOT NULL
);

CREATE INDEX job_results_expires ON job_results (expires_at);

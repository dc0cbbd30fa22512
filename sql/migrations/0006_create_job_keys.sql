-- What a claim obeys about a key stands in one row per key. To pause, slow or limit an endpoint with a million waiting
-- jobs used to be an update of a million rows, under the endpoint's lock.
CREATE TABLE job_keys (
  key              text COLLATE "C" PRIMARY KEY,
  key_limit        integer NOT NULL DEFAULT 64 CHECK (key_limit > 0),
  held             boolean NOT NULL DEFAULT false,
  resume_at        timestamptz,
  probe_at         timestamptz,
  probe_seconds    double precision CHECK (probe_seconds > 0),
  ramp_from        timestamptz,
  rate_per_second  double precision CHECK (rate_per_second > 0),
  rate_burst       integer CHECK (rate_burst > 0),
  spent_until      timestamptz,
  CHECK ((probe_at IS NULL) = (probe_seconds IS NULL)),
  CHECK ((rate_per_second IS NULL) = (rate_burst IS NULL))
) WITH (fillfactor = 50);

COMMENT ON COLUMN job_keys.key_limit IS 'most jobs in flight at once, per worker process';
COMMENT ON COLUMN job_keys.held IS 'paused: nothing of this key is claimed';
COMMENT ON COLUMN job_keys.resume_at IS 'slowed down: nothing before this time';
COMMENT ON COLUMN job_keys.probe_at IS 'the breaker is open: one job at this time, and every probe_seconds after it';
COMMENT ON COLUMN job_keys.ramp_from IS 'the breaker closed then: claims grow from a trickle to full speed';
COMMENT ON COLUMN job_keys.spent_until IS 'the rate limit''s theoretical arrival time (generic cell rate algorithm)';

INSERT INTO job_keys (key, key_limit, held)
SELECT id, max_in_flight, state = 'paused' FROM webhook_endpoints;

DROP INDEX job_queue_due, job_queue_key;
UPDATE job_queue SET status = 'pending' WHERE status = 'held';
UPDATE job_queue SET key = '' WHERE key IS NULL;
ALTER TABLE job_queue
  DROP COLUMN key_limit,
  ALTER COLUMN key TYPE text COLLATE "C",
  ALTER COLUMN key SET DEFAULT '',
  ALTER COLUMN key SET NOT NULL,
  ADD COLUMN order_key text COLLATE "C" NOT NULL DEFAULT '',
  ADD COLUMN seq bigint GENERATED ALWAYS AS IDENTITY,
  ADD COLUMN claimed_at timestamptz,
  ADD COLUMN lost_claims timestamptz[],
  DROP CONSTRAINT job_queue_status_check,
  ADD CONSTRAINT job_queue_status_check CHECK (status IN ('pending', 'running', 'dead'));

COMMENT ON COLUMN job_queue.key IS 'jobs of one key share what job_keys says, e.g. the webhook endpoint; empty: none';
COMMENT ON COLUMN job_queue.order_key IS 'jobs of one key and order_key run one at a time, in the order of seq; empty: in any';
COMMENT ON COLUMN job_queue.claimed_at IS 'when the present, or the last, claim began';
COMMENT ON COLUMN job_queue.lost_claims IS 'when claims began that never said how they ended, since the last that did';

-- A claim walks from key to key, so that the backlog of one that is full or paused is stepped over, not through.
CREATE INDEX job_queue_claim ON job_queue (queue_name, key, order_key, lane, (coalesce(leased_until, scheduled_at)))
  WHERE status IN ('pending', 'running');
CREATE INDEX job_queue_order ON job_queue (queue_name, key, order_key, seq)
  WHERE status IN ('pending', 'running') AND order_key <> '';
-- When something will be due next. Not by the expression that claims go by: with an index in that order at hand, the
-- planner now and then reads a whole backlog of other keys to find the few jobs of one.
CREATE INDEX job_queue_due ON job_queue (queue_name, (greatest(leased_until, scheduled_at)))
  WHERE status IN ('pending', 'running');
CREATE INDEX job_queue_dead_key ON job_queue (key) WHERE status = 'dead' AND key <> '';

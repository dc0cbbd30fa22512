-- What is used, how the servers are, and what is wrong. Every process counts in memory and appends what it counted; one
-- job folds that into hours and days, so that no row is written to by many.

-- A row per process that runs or ran in the last week. `flush` numbers what it has handed over: a flush that is sent
-- again, because nobody heard that it had arrived, counts once.
CREATE TABLE processes (
  id            text PRIMARY KEY,
  name          text NOT NULL,
  flush         integer NOT NULL,
  memory_bytes  bigint NOT NULL,
  cpu_seconds   double precision NOT NULL,
  started_at    timestamptz NOT NULL DEFAULT now(),
  seen_at       timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);

COMMENT ON COLUMN processes.name IS 'what it does and where: "worker-webhooks host:pid"';
COMMENT ON COLUMN processes.cpu_seconds IS 'user and system, since it started';

-- Appended, folded within a minute, deleted: what autovacuum finds here is dead almost entirely.
CREATE TABLE usage_deltas (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  process     text NOT NULL,
  metric      text NOT NULL,
  labels      jsonb NOT NULL,
  value       bigint NOT NULL,
  counted_at  timestamptz NOT NULL DEFAULT now()
) WITH (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000);

-- The rows of this hour and this day are added to every minute.
CREATE TABLE usage (
  bucket  text NOT NULL CHECK (bucket IN ('hour', 'day')),
  at      timestamptz NOT NULL,
  metric  text NOT NULL,
  labels  jsonb NOT NULL,
  value   bigint NOT NULL,
  PRIMARY KEY (bucket, at, metric, labels)
) WITH (fillfactor = 70);

COMMENT ON COLUMN usage.at IS 'when the hour or the day began, in UTC';

CREATE TABLE resource_samples (
  name        text NOT NULL,
  sampled_at  timestamptz NOT NULL,
  labels      jsonb NOT NULL,
  value       double precision NOT NULL,
  PRIMARY KEY (name, sampled_at, labels)
);

-- Rows come in the order of their time, so a few pages say where each day lies.
CREATE INDEX resource_samples_sampled_at ON resource_samples USING brin (sampled_at) WITH (autosummarize = on);

CREATE TABLE health_checks (
  checked_at  timestamptz PRIMARY KEY DEFAULT now(),
  status      text NOT NULL CHECK (status IN ('healthy', 'degraded', 'unhealthy')),
  checks      jsonb NOT NULL
);

-- A row per rule and what it was last held against (a queue, the disk).
CREATE TABLE alerts (
  name        text NOT NULL,
  subject     text NOT NULL,
  level       text NOT NULL,
  raised      boolean NOT NULL,
  is_over     boolean NOT NULL,
  streak      integer NOT NULL,
  since       timestamptz NOT NULL,
  value       double precision NOT NULL,
  threshold   double precision NOT NULL,
  checked_by  text NOT NULL,
  PRIMARY KEY (name, subject)
) WITH (fillfactor = 50);

COMMENT ON COLUMN alerts.is_over IS 'what the last check found, whether or not the alert is raised yet';
COMMENT ON COLUMN alerts.streak IS 'checks in a row that found this';
COMMENT ON COLUMN alerts.since IS 'raised: the first check that found it over; otherwise the first after that';
COMMENT ON COLUMN alerts.checked_by IS 'the tick of the last check: one that is run again counts once';

-- What service level objectives are held against. Every process counts by minute in memory and appends what it counted;
-- one job folds that into minutes, hours and days, so that any window is a few rows. The version before knows nothing
-- of them.

-- Appended, folded within a minute, deleted: what autovacuum finds here is dead almost entirely.
CREATE TABLE slo_deltas (
  id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at       timestamptz NOT NULL,
  series   text NOT NULL,
  total    bigint NOT NULL,
  bad      bigint NOT NULL,
  buckets  smallint[] NOT NULL,
  counts   bigint[] NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000);

-- The rows of this minute, this hour and this day are added to every minute.
CREATE TABLE slo_tallies (
  bucket   text NOT NULL CHECK (bucket IN ('minute', 'hour', 'day')),
  at       timestamptz NOT NULL,
  series   text NOT NULL,
  total    bigint NOT NULL,
  bad      bigint NOT NULL,
  buckets  smallint[] NOT NULL,
  counts   bigint[] NOT NULL,
  PRIMARY KEY (bucket, at, series)
) WITH (fillfactor = 70);

COMMENT ON COLUMN slo_tallies.series IS 'what was counted: "http.read", "queue.mail", "database", "ended.webhooks.deliver"';
COMMENT ON COLUMN slo_tallies.buckets IS 'lengths of time, each 1 % longer than the one before: 1.01^bucket microseconds';
COMMENT ON COLUMN slo_tallies.counts IS 'how many took as long, bucket by bucket; those without a length are in total alone';

-- Whether the API answered, a row per hour and a bit per minute of it, the first one first.
CREATE TABLE slo_uptime (
  hour         timestamptz PRIMARY KEY,
  up           bit(60) NOT NULL,
  maintenance  bit(60) NOT NULL
) WITH (fillfactor = 70);

COMMENT ON COLUMN slo_uptime.up IS 'a process that serves the API was checked in that minute, and was well';
COMMENT ON COLUMN slo_uptime.maintenance IS 'there was maintenance in that minute, so that it does not count';

-- append --
INSERT INTO slo_deltas (at, series, total, bad, buckets, counts)
SELECT to_timestamp(r.minute * 60), r.name, r.total, r.bad, r.buckets, r.counts
FROM json_to_recordset(%(rows)s::json) AS r (
  minute bigint, name text, total bigint, bad bigint, buckets smallint[], counts bigint[]
)

-- lock --
SELECT pg_try_advisory_xact_lock(hashtextextended('ogel slo', 0))

-- fold --
-- The same rows are added to a minute, an hour and a day, and deleted. The caller holds the lock, so that what `before`
-- reads is still there when it is written.
WITH taken AS (
  DELETE FROM slo_deltas WHERE id IN (SELECT id FROM slo_deltas ORDER BY id LIMIT %(limit)s)
  RETURNING at, series, total, bad, buckets, counts
), new AS (
  SELECT b.bucket, date_trunc(b.bucket, at, 'UTC') AS at, series, total, bad, buckets, counts
  FROM taken CROSS JOIN (VALUES ('minute'), ('hour'), ('day')) AS b (bucket)
), sums AS (
  SELECT bucket, at, series, sum(total) AS total, sum(bad) AS bad FROM new GROUP BY bucket, at, series
), before AS (
  SELECT t.bucket, t.at, t.series, t.buckets, t.counts FROM slo_tallies AS t JOIN sums USING (bucket, at, series)
), spread AS (
  SELECT bucket, at, series, length, sum(n) AS n
  FROM (SELECT bucket, at, series, buckets, counts FROM new UNION ALL TABLE before) AS each,
       unnest(buckets, counts) AS u (length, n)
  GROUP BY bucket, at, series, length
), sketches AS (
  SELECT bucket, at, series, array_agg(length ORDER BY length) AS buckets, array_agg(n ORDER BY length) AS counts
  FROM spread GROUP BY bucket, at, series
), folded AS (
  INSERT INTO slo_tallies AS t (bucket, at, series, total, bad, buckets, counts)
  SELECT bucket, at, series, total, bad, coalesce(buckets, '{}'), coalesce(counts, '{}')
  FROM sums LEFT JOIN sketches USING (bucket, at, series)
  ON CONFLICT (bucket, at, series) DO UPDATE SET
    total = t.total + excluded.total, bad = t.bad + excluded.bad, buckets = excluded.buckets, counts = excluded.counts
)
SELECT count(*) FROM taken

-- windows --
-- Each window is pieces of minutes, hours and days, and what was not folded yet.
WITH pieces AS MATERIALIZED (
  SELECT * FROM json_to_recordset(%(pieces)s::json) AS p (
    name text, bucket text, since timestamptz, until timestamptz
  )
), found AS (
  SELECT p.name, t.series, t.total, t.bad, t.buckets, t.counts
  FROM pieces AS p JOIN slo_tallies AS t ON t.bucket = p.bucket AND t.at >= p.since AND t.at < p.until
  UNION ALL
  SELECT p.name, d.series, d.total, d.bad, d.buckets, d.counts
  FROM pieces AS p JOIN slo_deltas AS d ON d.at >= p.since AND d.at < p.until
), sums AS (
  SELECT name, series, sum(total)::bigint AS total, sum(bad)::bigint AS bad FROM found GROUP BY name, series
), spread AS (
  SELECT name, series, length, sum(n)::bigint AS n FROM found, unnest(buckets, counts) AS u (length, n)
  GROUP BY name, series, length
), sketches AS (
  SELECT name, series, array_agg(length ORDER BY length) AS buckets, array_agg(n ORDER BY length) AS counts
  FROM spread GROUP BY name, series
)
SELECT name, series, total, bad, coalesce(buckets, '{}') AS buckets, coalesce(counts, '{}') AS counts
FROM sums LEFT JOIN sketches USING (name, series)

-- first --
SELECT least((SELECT min(at) FROM slo_tallies WHERE bucket = 'hour'), (SELECT min(at) FROM slo_deltas))

-- forget_minutes --
DELETE FROM slo_tallies WHERE bucket = 'minute' AND at < %(before)s

-- count_old --
SELECT count(*) FROM (SELECT FROM slo_tallies WHERE bucket IN ('hour', 'day') AND at < %(before)s LIMIT %(most)s) AS old

-- purge_old --
DELETE FROM slo_tallies WHERE ctid IN (
  SELECT ctid FROM slo_tallies WHERE bucket IN ('hour', 'day') AND at < %(before)s LIMIT %(limit)s
  FOR UPDATE SKIP LOCKED
)

-- count_deltas --
SELECT count(*) FROM (SELECT FROM slo_deltas WHERE at < %(before)s LIMIT %(most)s) AS old

-- purge_deltas --
DELETE FROM slo_deltas WHERE id IN (
  SELECT id FROM slo_deltas WHERE at < %(before)s ORDER BY id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)

-- note --
-- Whoever notes the same minute again, or first says that there is maintenance, changes nothing else.
INSERT INTO slo_uptime AS u (hour, up, maintenance)
SELECT date_trunc('hour', %(at)s::timestamptz, 'UTC'), minute, CASE WHEN %(maintenance)s THEN minute ELSE B'0'::bit(60) END
FROM (SELECT set_bit(B'0'::bit(60), extract(minute FROM %(at)s::timestamptz AT TIME ZONE 'UTC')::int, 1) AS minute) AS one
ON CONFLICT (hour) DO UPDATE SET up = u.up | excluded.up, maintenance = u.maintenance | excluded.maintenance

-- uptime --
SELECT hour, up::text AS up, maintenance::text AS maintenance FROM slo_uptime

-- count_uptime --
SELECT count(*) FROM (SELECT FROM slo_uptime WHERE hour < %(before)s LIMIT %(most)s) AS old

-- purge_uptime --
DELETE FROM slo_uptime WHERE hour IN (
  SELECT hour FROM slo_uptime WHERE hour < %(before)s ORDER BY hour LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)

-- note_commit --
INSERT INTO slo_commits (deployment, committed_at) VALUES (%(deployment)s, %(committed_at)s)
ON CONFLICT (deployment) DO NOTHING

-- commits --
SELECT deployment, committed_at FROM slo_commits

-- count_commits --
SELECT count(*) FROM (SELECT FROM slo_commits WHERE noted_at < %(before)s LIMIT %(most)s) AS old

-- purge_commits --
DELETE FROM slo_commits WHERE deployment IN (
  SELECT deployment FROM slo_commits WHERE noted_at < %(before)s LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)

-- statements_schema --
SELECT n.nspname FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace
WHERE e.extname = 'pg_stat_statements'

-- append --
-- Inserts the rows and the number of a flush in one statement; a flush that arrived before adds nothing. Returns whether
-- it did not.
WITH ours AS (
  INSERT INTO processes AS p (id, name, flush, memory_bytes, cpu_seconds)
  VALUES (%(process)s, %(name)s, %(number)s, %(memory_bytes)s, %(cpu_seconds)s)
  ON CONFLICT (id) DO UPDATE SET flush = excluded.flush, memory_bytes = excluded.memory_bytes,
    cpu_seconds = excluded.cpu_seconds, seen_at = now()
  WHERE p.flush < excluded.flush
  RETURNING id
), appended AS (
  INSERT INTO usage_deltas (process, metric, labels, value)
  SELECT ours.id, r.metric, r.labels, r.value
  FROM ours, json_to_recordset(%(rows)s::json) AS r (metric text, labels jsonb, value bigint)
)
SELECT EXISTS (SELECT FROM ours)

-- lock --
SELECT pg_try_advisory_xact_lock(hashtextextended('ogel usage', 0))

-- fold_counts --
-- The same rows are added to an hour and a day, and deleted.
WITH taken AS (
  DELETE FROM usage_deltas WHERE id IN (
    SELECT id FROM usage_deltas WHERE metric <> ALL (%(peaks)s::text[]) ORDER BY id LIMIT %(limit)s
  )
  RETURNING metric, labels, value, counted_at
), folded AS (
  INSERT INTO usage AS u (bucket, at, metric, labels, value)
  SELECT bucket, date_trunc(bucket, counted_at, 'UTC'), metric, labels, sum(value)
  FROM taken CROSS JOIN (VALUES ('hour'), ('day')) AS buckets (bucket)
  GROUP BY 1, 2, 3, 4
  ON CONFLICT (bucket, at, metric, labels) DO UPDATE SET value = u.value + excluded.value
)
SELECT count(*) FROM taken

-- fold_peaks --
-- The most of each process in a minute, added up over processes: the most of such minutes is the bucket's peak. A flush
-- is at most a minute apart from the next, so after two every process has told of a minute.
WITH taken AS (
  DELETE FROM usage_deltas
  WHERE metric = ANY (%(peaks)s::text[]) AND counted_at < date_trunc('minute', now()) - interval '1 minute'
  RETURNING process, metric, labels, value, date_trunc('minute', counted_at) AS minute
), by_process AS (
  SELECT metric, labels, minute, max(value) AS value FROM taken GROUP BY process, metric, labels, minute
), together AS (
  SELECT metric, labels, minute, sum(value) AS value FROM by_process GROUP BY metric, labels, minute
)
INSERT INTO usage AS u (bucket, at, metric, labels, value)
SELECT bucket, date_trunc(bucket, minute, 'UTC'), metric, labels, max(value)
FROM together CROSS JOIN (VALUES ('hour'), ('day')) AS buckets (bucket)
GROUP BY 1, 2, 3, 4
ON CONFLICT (bucket, at, metric, labels) DO UPDATE SET value = greatest(u.value, excluded.value)

-- list_usage --
-- Oldest first. Labels that are not in `by` are summed up.
SELECT at, metric, kept AS labels, value FROM (
  SELECT at, metric, kept,
         (CASE WHEN metric = ANY (%(peaks)s::text[]) THEN max(value) ELSE sum(value) END)::bigint AS value
  FROM usage CROSS JOIN LATERAL (
    SELECT coalesce(jsonb_object_agg(key, l.value), '{}') AS kept
    FROM jsonb_each(labels) AS l WHERE key = ANY (%(by)s::text[])
  ) AS chosen
  WHERE bucket = %(bucket)s AND at >= %(since)s AND at < %(until)s
    AND at >= coalesce(%(after_at)s::timestamptz, %(since)s)
    AND (%(metric)s::text IS NULL OR metric = %(metric)s)
  GROUP BY at, metric, kept
) AS summed
WHERE %(after_at)s::timestamptz IS NULL
  OR (at, metric, kept) > (%(after_at)s, %(after_metric)s::text, %(after_labels)s::jsonb)
ORDER BY at, metric, kept
LIMIT %(limit)s

-- counted --
SELECT at, sum(value)::bigint FROM usage
WHERE bucket = %(bucket)s AND metric = %(metric)s AND at >= %(since)s AND at < %(until)s
GROUP BY at

-- totals --
SELECT metric, (CASE WHEN metric = ANY (%(peaks)s::text[]) THEN max(value) ELSE sum(value) END)::bigint
FROM usage WHERE bucket = 'day' AND at >= %(since)s
GROUP BY metric

-- count_hours --
SELECT count(*) FROM (SELECT FROM usage WHERE bucket = 'hour' AND at < %(before)s LIMIT %(most)s) AS old

-- purge_hours --
DELETE FROM usage WHERE ctid IN (
  SELECT ctid FROM usage WHERE bucket = 'hour' AND at < %(before)s ORDER BY at LIMIT %(limit)s
  FOR UPDATE SKIP LOCKED
)

-- count_days --
SELECT count(*) FROM (SELECT FROM usage WHERE bucket = 'day' AND at < %(before)s LIMIT %(most)s) AS old

-- purge_days --
DELETE FROM usage WHERE ctid IN (
  SELECT ctid FROM usage WHERE bucket = 'day' AND at < %(before)s ORDER BY at LIMIT %(limit)s
  FOR UPDATE SKIP LOCKED
)

-- count_deltas --
SELECT count(*) FROM (SELECT FROM usage_deltas WHERE counted_at < %(before)s LIMIT %(most)s) AS old

-- purge_deltas --
-- The oldest have the least ids: a whole batch looks no further than where it ends.
DELETE FROM usage_deltas WHERE id IN (
  SELECT id FROM usage_deltas WHERE counted_at < %(before)s ORDER BY id LIMIT %(limit)s
  FOR UPDATE SKIP LOCKED
)

-- count_silent --
SELECT count(*) FROM (SELECT FROM processes WHERE seen_at < %(before)s LIMIT %(most)s) AS old

-- purge_silent --
DELETE FROM processes WHERE id IN (
  SELECT id FROM processes WHERE seen_at < %(before)s ORDER BY seen_at LIMIT %(limit)s
  FOR UPDATE SKIP LOCKED
)

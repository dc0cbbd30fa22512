-- queue_stats --
-- One row per queue that has rows, from the status index; `oldest_seconds` is how long the oldest due job has waited.
SELECT queue_name,
       count(*) FILTER (WHERE status = 'pending' AND NOT held) AS pending,
       count(*) FILTER (WHERE status = 'running') AS running,
       count(*) FILTER (WHERE status = 'pending' AND held) AS held,
       count(*) FILTER (WHERE status = 'dead') AS dead,
       coalesce(extract(epoch FROM now() - min(scheduled_at) FILTER (
         WHERE status = 'pending' AND NOT held AND scheduled_at <= now())), 0)::float8 AS oldest_seconds
FROM (
  SELECT queue_name, status, scheduled_at, key IN (SELECT key FROM job_keys WHERE held) AS held FROM job_queue
) AS jobs
GROUP BY queue_name

-- list_jobs --
SELECT id, queue_name AS queue, kind, CASE WHEN held AND status = 'pending' THEN 'held' ELSE status END AS status, lane,
       nullif(key, '') AS key, payload, attempts, max_attempts, scheduled_at, leased_until, last_error,
       processed_at AS finished_at, created_at
FROM job_queue LEFT JOIN job_keys USING (key)
WHERE (%(after)s::text IS NULL OR id < %(after)s)
  AND (%(queue)s::text IS NULL OR queue_name = %(queue)s)
  AND (%(status)s::text IS NULL
       OR (status = CASE WHEN %(status)s = 'held' THEN 'pending' ELSE %(status)s END
           AND (status <> 'pending' OR coalesce(held, false) = (%(status)s = 'held'))))
ORDER BY id DESC
LIMIT %(limit)s

-- get_job --
SELECT id, queue_name AS queue, kind, CASE WHEN held AND status = 'pending' THEN 'held' ELSE status END AS status, lane,
       nullif(key, '') AS key, payload, attempts, max_attempts, scheduled_at, leased_until, last_error,
       processed_at AS finished_at, created_at
FROM job_queue LEFT JOIN job_keys USING (key)
WHERE id = %(id)s

-- paused --
SELECT name, paused_at FROM paused_queues

-- list_jobs --
-- The newest of each queue and status, down the index of these, and of those the newest. So wide an order is asked for
-- because nothing else has it: for less, the planner reads all jobs by their ids now and then, in search of a few.
WITH RECURSIVE queues (name) AS (
  (SELECT queue_name FROM job_queue WHERE %(queue)s::text IS NULL ORDER BY queue_name LIMIT 1)
  UNION ALL
  SELECT (SELECT queue_name FROM job_queue WHERE queue_name > name ORDER BY queue_name LIMIT 1)
  FROM queues WHERE name IS NOT NULL
),
wanted (queue, status) AS (
  SELECT name, s.status FROM (
    SELECT name FROM queues WHERE name IS NOT NULL UNION ALL SELECT %(queue)s WHERE %(queue)s::text IS NOT NULL
  ) AS q CROSS JOIN unnest(%(statuses)s::text[]) AS s (status)
  -- Where no key is held, the waiting jobs are not searched.
  WHERE coalesce(%(held)s::boolean, false) = false OR EXISTS (
    SELECT FROM job_keys AS k WHERE k.held AND k.key = (
      SELECT j.key FROM job_queue AS j
      WHERE j.queue_name = q.name AND j.key >= k.key AND j.status IN ('pending', 'running')
      ORDER BY j.key, j.order_key LIMIT 1
    )
  )
)
SELECT job.* FROM wanted CROSS JOIN LATERAL (
  SELECT id, queue_name AS queue, kind, CASE WHEN held AND status = 'pending' THEN 'held' ELSE status END AS status, priority,
         nullif(key, '') AS key, payload, attempts, max_attempts, scheduled_at, leased_until, last_error,
         processed_at AS finished_at, created_at, cancelled_at, progress
  FROM job_queue AS j LEFT JOIN job_keys USING (key)
  WHERE (queue_name, j.status) >= (wanted.queue, wanted.status)
    -- All ids begin with job_, so 'zzz' is greater than any.
    AND (queue_name, j.status, id) < (wanted.queue, wanted.status, coalesce(%(after)s, 'zzz'))
    AND (%(kind)s::text IS NULL OR kind = %(kind)s)
    AND (%(held)s::boolean IS NULL OR coalesce(held, false) = %(held)s)
  ORDER BY queue_name DESC, j.status DESC, id DESC
  LIMIT %(limit)s
) AS job
ORDER BY id DESC
LIMIT %(limit)s

-- list_results --
-- Finished jobs whose result is kept.
SELECT id, queue_name AS queue, kind, status, attempts, result, created_at, finished_at, expires_at
FROM job_results
WHERE (%(after)s::text IS NULL OR id < %(after)s)
  AND (%(queue)s::text IS NULL OR queue_name = %(queue)s)
  AND (%(kind)s::text IS NULL OR kind = %(kind)s)
  AND status = %(status)s AND expires_at > now()
ORDER BY id DESC
LIMIT %(limit)s

-- get_job --
SELECT id, queue_name AS queue, kind, CASE WHEN held AND status = 'pending' THEN 'held' ELSE status END AS status, priority,
       nullif(key, '') AS key, payload, attempts, max_attempts, scheduled_at, leased_until, last_error,
       processed_at AS finished_at, created_at, cancelled_at, progress
FROM job_queue LEFT JOIN job_keys USING (key)
WHERE id = %(id)s

-- get_result --
SELECT id, queue_name AS queue, kind, status, attempts, result, created_at, finished_at, expires_at
FROM job_results WHERE id = %(id)s AND expires_at > now()

-- restored_jobs --
-- Jobs that were running when the backup was made run again, and that attempt does not count.
UPDATE job_queue
SET status = 'pending', attempts = greatest(0, attempts - 1), lost_claims = array_append(lost_claims, claimed_at),
    lease_id = NULL, leased_until = NULL
WHERE status = 'running'

-- restored_keys --
-- Pauses made by users stay; what was known about the health of receivers is out of date.
UPDATE job_keys
SET resume_at = NULL, probe_at = NULL, probe_seconds = NULL, ramp_from = NULL, ramp_until = NULL,
    spent_until = NULL
WHERE num_nonnulls(resume_at, probe_at, ramp_from, spent_until) > 0

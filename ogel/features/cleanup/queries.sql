-- begin --
-- Starts a new run of the purge by this job, unless another job's run is under way.
INSERT INTO purge_runs AS r (name, job_id, before, total, total_is_least)
VALUES (%(name)s, %(job_id)s, %(before)s, %(total)s, %(total_is_least)s)
ON CONFLICT (name) DO UPDATE
SET job_id = excluded.job_id, before = excluded.before, total = excluded.total,
    total_is_least = excluded.total_is_least, deleted = 0, cursor = NULL, started_at = now(), finished_at = NULL,
    error = NULL
WHERE r.finished_at IS NOT NULL
   OR NOT EXISTS (SELECT FROM {jobs} AS j WHERE j.id = r.job_id AND j.status IN ('pending', 'running'))
RETURNING before

-- resume --
-- The limit that a job's run began with, and where it stopped; none when it has not begun, or is over. The version before
-- leaves another job's cursor where it begins or ends a run.
SELECT before, CASE WHEN cursor->>2 = job_id THEN cursor END
FROM purge_runs WHERE name = %(name)s AND job_id = %(job_id)s AND finished_at IS NULL

-- advance --
UPDATE purge_runs SET deleted = deleted + %(deleted)s, cursor = json_build_array(%(at)s::text, %(id)s::text, job_id), error = NULL
WHERE name = %(name)s AND job_id = %(job_id)s
RETURNING deleted, total, total_is_least

-- finish --
UPDATE purge_runs SET finished_at = now(), cursor = NULL, error = NULL
WHERE name = %(name)s AND job_id = %(job_id)s AND finished_at IS NULL
RETURNING before, deleted

-- fail --
UPDATE purge_runs SET error = %(error)s WHERE name = %(name)s AND job_id = %(job_id)s AND finished_at IS NULL

-- is_waiting --
-- Whether a job of that purge is waiting or running.
SELECT EXISTS (
  SELECT FROM {jobs} AS j
  WHERE queue_name = %(queue)s AND status IN ('pending', 'running') AND kind = %(kind)s AND payload->>'what' = %(name)s
)

-- limit_time --
-- Applies to each statement of the transaction.
SELECT set_config('statement_timeout', %(milliseconds)s::int::text, true)

-- runs --
SELECT r.name, r.job_id AS job,
       CASE WHEN r.finished_at IS NOT NULL THEN 'completed' WHEN j.id IS NOT NULL THEN 'running' ELSE 'failed' END AS status,
       r.before, r.total, r.total_is_least, r.deleted, r.started_at, r.finished_at,
       CASE WHEN r.finished_at IS NULL AND j.id IS NULL THEN coalesce(r.error, 'its job was cancelled') ELSE r.error END
         AS error
FROM purge_runs AS r
LEFT JOIN {jobs} AS j ON j.id = r.job_id AND j.status IN ('pending', 'running')
WHERE r.name = ANY (%(names)s)

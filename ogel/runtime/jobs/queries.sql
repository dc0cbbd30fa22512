-- enqueue --
-- Writes jobs; one whose dedupe key is already waiting is skipped. Returns what was written.
INSERT INTO job_queue
  (id, queue_name, kind, payload, status, lane, key, key_limit, max_attempts, scheduled_at, dedupe_key)
SELECT id, queue_name, kind, payload, status, lane, key, key_limit, max_attempts,
       coalesce(scheduled_at, now()), dedupe_key
FROM json_to_recordset(%(rows)s::json) AS new (
  id text, queue_name text, kind text, payload jsonb, status text, lane smallint, key text, key_limit int,
  max_attempts int, scheduled_at timestamptz, dedupe_key text
)
ON CONFLICT DO NOTHING
RETURNING id, queue_name

-- claim --
-- Leases up to `limit` due jobs of one queue: lower lanes first, oldest first, rows others hold skipped, keys
-- without room left out. The lateral walks one lane at a time down the index and stops at the limit.
WITH candidates AS MATERIALIZED (
  SELECT due.id, due.key, due.key_limit, row_number() OVER () AS place
  FROM unnest('{0,1,2}'::smallint[]) AS lanes (lane)
  CROSS JOIN LATERAL (
    SELECT id, key, key_limit
    FROM job_queue
    WHERE queue_name = %(queue)s AND lane = lanes.lane AND status IN ('pending', 'running')
      AND coalesce(leased_until, scheduled_at) <= now()
      AND (key IS NULL OR key <> ALL (%(full_keys)s::text[]))
      AND id <> ALL (%(not_ids)s::text[])
    ORDER BY coalesce(leased_until, scheduled_at)
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
  ) AS due
  LIMIT %(limit)s
),
ranked AS (
  SELECT id, key, key_limit, row_number() OVER (PARTITION BY key ORDER BY place) AS place_in_key FROM candidates
),
chosen AS (
  SELECT ranked.id
  FROM ranked LEFT JOIN unnest(%(busy_keys)s::text[], %(busy_counts)s::int[]) AS busy (key, count) USING (key)
  WHERE ranked.key IS NULL OR ranked.place_in_key <= ranked.key_limit - coalesce(busy.count, 0)
)
UPDATE job_queue AS j
SET status = 'running', attempts = j.attempts + 1, lease_id = %(lease)s,
    leased_until = now() + make_interval(secs => %(lease_seconds)s)
FROM chosen
WHERE j.id = chosen.id
RETURNING j.id, j.kind, j.payload, j.lane, j.key, j.attempts, j.max_attempts, j.lease_id, j.created_at,
          j.scheduled_at, j.key_limit, (SELECT count(*) FROM candidates) AS seen

-- seconds_to_next --
-- How long until something of this queue is due; null when nothing waits.
SELECT extract(epoch FROM min(next.due) - now())::float8
FROM unnest('{0,1,2}'::smallint[]) AS lanes (lane)
CROSS JOIN LATERAL (
  SELECT coalesce(leased_until, scheduled_at) AS due
  FROM job_queue
  WHERE queue_name = %(queue)s AND lane = lanes.lane AND status IN ('pending', 'running')
  ORDER BY coalesce(leased_until, scheduled_at)
  LIMIT 1
) AS next

-- renew --
-- Keeps the leases of claims that still have jobs in flight.
UPDATE job_queue SET leased_until = now() + make_interval(secs => %(lease_seconds)s)
WHERE status = 'running' AND id = ANY (%(ids)s) AND lease_id = ANY (%(leases)s)

-- finish --
-- Done jobs leave; only the claim that holds a job may finish it.
DELETE FROM job_queue AS j
USING json_to_recordset(%(rows)s::json) AS r (id text, lease_id text)
WHERE j.id = r.id AND j.lease_id = r.lease_id
RETURNING j.id

-- give_back --
-- Jobs to be tried again, released unfinished, or dead; same fence as `finish`.
UPDATE job_queue AS j
SET status = r.status, scheduled_at = coalesce(r.scheduled_at, j.scheduled_at), lane = r.lane,
    attempts = j.attempts - r.refund, last_error = coalesce(r.error, j.last_error),
    lease_id = NULL, leased_until = NULL,
    processed_at = CASE WHEN r.status = 'dead' THEN now() END
FROM json_to_recordset(%(rows)s::json) AS r (
  id text, lease_id text, status text, scheduled_at timestamptz, lane smallint, refund int, error text
)
WHERE j.id = r.id AND j.lease_id = r.lease_id
RETURNING j.id

-- hold_key --
-- Pauses what waits for a key; what is in flight ends as it ends.
UPDATE job_queue SET status = 'held' WHERE key = %(key)s AND status = 'pending'

-- release_key --
UPDATE job_queue SET status = 'pending', scheduled_at = now() WHERE key = %(key)s AND status = 'held'
RETURNING queue_name

-- set_key_limit --
UPDATE job_queue SET key_limit = %(key_limit)s WHERE key = %(key)s AND status IN ('pending', 'held')

-- discard_key --
-- Drops what waits for a key that is going away.
DELETE FROM job_queue WHERE key = %(key)s AND status <> 'running'

-- revive --
-- A dead, held or waiting job runs now, with all its attempts before it; a running one is left alone.
UPDATE job_queue
SET status = 'pending', attempts = 0, scheduled_at = now(), processed_at = NULL, lease_id = NULL, leased_until = NULL
WHERE id = %(id)s AND status <> 'running'
RETURNING queue_name, kind, payload

-- discard --
DELETE FROM job_queue WHERE id = %(id)s AND status <> 'running' RETURNING kind, payload

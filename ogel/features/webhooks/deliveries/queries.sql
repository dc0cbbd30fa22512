-- get_delivery --
SELECT d.id, d.event_id AS event, e.type AS event_type, d.webhook_id AS webhook, d.status, d.attempts,
       d.next_attempt_at, d.finished_at, d.created_at
FROM webhook_deliveries AS d JOIN events AS e ON e.id = d.event_id
WHERE d.id = %(id)s

-- list_deliveries --
-- Newest first. The range of ids serves since and until, which are asked of created_at: see times.py.
SELECT d.id, d.event_id AS event, e.type AS event_type, d.webhook_id AS webhook, d.status, d.attempts,
       d.next_attempt_at, d.finished_at, d.created_at
FROM webhook_deliveries AS d JOIN events AS e ON e.id = d.event_id
WHERE (%(after)s::text IS NULL OR d.id < %(after)s)
  AND (%(webhook)s::text IS NULL OR d.webhook_id = %(webhook)s)
  AND (%(event)s::text IS NULL OR d.event_id = %(event)s)
  AND (%(status)s::text IS NULL OR d.status = %(status)s)
  AND d.id >= %(first_id)s AND d.id < %(last_id)s
  AND (%(since)s::timestamptz IS NULL OR d.created_at >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR d.created_at <= %(until)s)
ORDER BY d.id DESC
LIMIT %(limit)s

-- unknown_of_filters --
SELECT 'webhook' WHERE %(webhook)s::text IS NOT NULL
  AND NOT EXISTS (SELECT FROM webhook_endpoints WHERE id = %(webhook)s)
UNION ALL
SELECT 'event' WHERE %(event)s::text IS NOT NULL AND NOT EXISTS (SELECT FROM events WHERE id = %(event)s)

-- list_attempts --
-- The claim of a job is the write-ahead record of its attempt: while nothing else is known of it, it is shown as
-- 'unknown', and becomes such a row when its worker is found to have disappeared.
SELECT number, outcome, reason, detail, coalesce(request_headers, '[]') AS request_headers, response_status,
       coalesce(response_headers, '[]') AS response_headers, response_body, response_cut, peer, started_at,
       duration_seconds, dns_seconds, connect_seconds, tls_seconds, first_byte_seconds
FROM webhook_attempts WHERE delivery_id = %(delivery_id)s
UNION ALL
SELECT d.attempts + open.place, 'unknown', NULL, NULL, '[]', NULL, '[]', NULL, false, NULL, open.claimed_at, NULL, NULL,
       NULL, NULL, NULL
FROM webhook_deliveries AS d
JOIN job_queue AS j ON j.id = %(job_id)s AND j.status = 'running'
CROSS JOIN LATERAL unnest(array_append(j.lost_claims, j.claimed_at)) WITH ORDINALITY AS open (claimed_at, place)
WHERE d.id = %(delivery_id)s
ORDER BY number

-- listener --
SELECT w.ordered_by, e.subject
FROM webhook_deliveries AS d JOIN events AS e ON e.id = d.event_id JOIN webhook_endpoints AS w ON w.id = d.webhook_id
WHERE d.id = %(id)s
FOR KEY SHARE OF w

-- cancel_deliveries --
UPDATE webhook_deliveries SET status = 'cancelled', next_attempt_at = NULL, finished_at = now()
WHERE id = ANY (%(ids)s) AND status = 'pending'

-- reopen_deliveries --
UPDATE webhook_deliveries SET status = 'pending', next_attempt_at = now(), finished_at = NULL
WHERE id = ANY (%(ids)s)

-- recorded_attempts --
SELECT a.recorded_at, a.delivery_id, a.number, d.webhook_id, d.event_id, e.type, a.outcome, a.reason, a.detail,
       a.response_status, a.started_at, a.duration_seconds, d.status, d.next_attempt_at
FROM webhook_attempts AS a
JOIN webhook_deliveries AS d ON d.id = a.delivery_id
JOIN events AS e ON e.id = d.event_id
WHERE a.recorded_at >= %(after_at)s AND a.recorded_at < %(before)s
  AND (a.recorded_at, a.delivery_id, a.number) > (%(after_at)s, %(after_id)s, %(after_number)s)
  AND (%(webhook)s::text IS NULL OR d.webhook_id = %(webhook)s)
  AND (%(outcomes)s::text[] IS NULL OR a.outcome = ANY (%(outcomes)s))
ORDER BY a.recorded_at, a.delivery_id, a.number
LIMIT %(limit)s

-- count_old --
SELECT count(*) FROM (
  SELECT FROM webhook_deliveries WHERE finished_at < %(before)s AND status <> 'pending' LIMIT %(most)s
) AS old

-- purge_old --
-- Their attempts and dead jobs go with them. Others lock a job before what it is about: one whose job is locked is
-- passed over, so that nobody waits in a circle.
WITH seen AS MATERIALIZED (
  SELECT id, finished_at FROM webhook_deliveries
  WHERE finished_at < %(before)s AND finished_at >= %(after_at)s::timestamptz
    AND (finished_at, id) > (%(after_at)s::timestamptz, %(after_id)s::text)
  ORDER BY finished_at, id LIMIT %(limit)s
), dead AS MATERIALIZED (
  SELECT id FROM job_queue
  WHERE id = ANY (ARRAY (SELECT 'job_' || substr(id, 5) FROM seen)) AND status = 'dead'
), their_jobs AS MATERIALIZED (
  SELECT id FROM job_queue WHERE id = ANY (ARRAY (SELECT id FROM dead)) AND status = 'dead' FOR UPDATE SKIP LOCKED
), old AS MATERIALIZED (
  SELECT id FROM webhook_deliveries
  WHERE id = ANY (ARRAY (SELECT id FROM seen)) AND finished_at < %(before)s AND status <> 'pending'
    AND 'job_' || substr(id, 5) NOT IN (SELECT id FROM dead EXCEPT SELECT id FROM their_jobs)
  FOR UPDATE SKIP LOCKED
), gone_jobs AS (
  DELETE FROM job_queue WHERE id = ANY (ARRAY (SELECT 'job_' || substr(id, 5) FROM old)) AND status = 'dead'
), gone_attempts AS (
  DELETE FROM webhook_attempts WHERE delivery_id = ANY (ARRAY (SELECT id FROM old))
), gone AS (
  DELETE FROM webhook_deliveries WHERE id = ANY (ARRAY (SELECT id FROM old)) RETURNING id
)
SELECT (SELECT count(*) FROM gone), (SELECT count(*) FROM seen), last.finished_at::text, last.id
FROM (SELECT) AS one LEFT JOIN seen AS last ON true ORDER BY last.finished_at DESC, last.id DESC LIMIT 1

-- get_delivery --
SELECT d.id, d.event_id AS event, e.type AS event_type, d.webhook_id AS webhook, d.status, d.attempts,
       d.next_attempt_at, d.finished_at, d.created_at
FROM webhook_deliveries AS d JOIN {events} AS e ON e.id = d.event_id
WHERE d.id = %(id)s

-- list_deliveries --
-- Newest first. The range of ids serves since and until, which are asked of created_at: see times.py.
SELECT d.id, d.event_id AS event, e.type AS event_type, d.webhook_id AS webhook, d.status, d.attempts,
       d.next_attempt_at, d.finished_at, d.created_at
FROM webhook_deliveries AS d JOIN {events} AS e ON e.id = d.event_id
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
SELECT 'event' WHERE %(event)s::text IS NOT NULL AND NOT EXISTS (SELECT FROM {events} AS e WHERE id = %(event)s)

-- list_attempts --
-- With the piece `claims`. The claim of a job is the write-ahead record of its attempt: while nothing else is known of it,
-- it is shown as 'unknown', and becomes such a row when its worker is found to have disappeared.
SELECT number, outcome, reason, detail, coalesce(request_headers, '[]') AS request_headers, response_status,
       coalesce(response_headers, '[]') AS response_headers, response_body, response_cut, peer, started_at,
       duration_seconds, dns_seconds, connect_seconds, tls_seconds, first_byte_seconds
FROM webhook_attempts WHERE delivery_id = %(delivery_id)s
UNION ALL
SELECT d.attempts + claims.place, 'unknown', NULL, NULL, '[]', NULL, '[]', NULL, false, NULL, claims.claimed_at, NULL,
       NULL, NULL, NULL, NULL
FROM webhook_deliveries AS d CROSS JOIN claims
WHERE d.id = %(delivery_id)s
ORDER BY number

-- listener --
SELECT w.ordered_by, e.subject
FROM webhook_deliveries AS d JOIN {events} AS e ON e.id = d.event_id JOIN webhook_endpoints AS w ON w.id = d.webhook_id
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
JOIN {events} AS e ON e.id = d.event_id
WHERE a.recorded_at >= %(after_at)s AND a.recorded_at < %(before)s
  AND (a.recorded_at, a.delivery_id, a.number) > (%(after_at)s, %(after_id)s, %(after_number)s)
  AND (%(webhook)s::text IS NULL OR d.webhook_id = %(webhook)s)
  AND (%(outcomes)s::text[] IS NULL OR a.outcome = ANY (%(outcomes)s))
ORDER BY a.recorded_at, a.delivery_id, a.number
LIMIT %(limit)s

-- forget_attempts --
-- Of deliveries that are `old`: see runtime/delivery/purge.py.
DELETE FROM webhook_attempts WHERE delivery_id = ANY (ARRAY (SELECT id FROM old))

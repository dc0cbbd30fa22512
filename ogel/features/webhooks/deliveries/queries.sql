-- get_delivery --
SELECT d.id, d.event_id AS event, e.type AS event_type, d.webhook_id AS webhook, d.status, d.attempts,
       d.next_attempt_at, d.finished_at, d.created_at
FROM webhook_deliveries AS d JOIN events AS e ON e.id = d.event_id
WHERE d.id = %(id)s

-- list_deliveries --
SELECT d.id, d.event_id AS event, e.type AS event_type, d.webhook_id AS webhook, d.status, d.attempts,
       d.next_attempt_at, d.finished_at, d.created_at
FROM webhook_deliveries AS d JOIN events AS e ON e.id = d.event_id
WHERE (%(after)s::text IS NULL OR d.id < %(after)s)
  AND (%(webhook)s::text IS NULL OR d.webhook_id = %(webhook)s)
  AND (%(event)s::text IS NULL OR d.event_id = %(event)s)
  AND (%(status)s::text IS NULL OR d.status = %(status)s)
ORDER BY d.id DESC
LIMIT %(limit)s

-- list_attempts --
SELECT id, number, outcome, reason, detail, response_status, response_body, response_cut, peer, started_at,
       duration_seconds
FROM webhook_attempts WHERE delivery_id = %(delivery_id)s ORDER BY started_at

-- cancel_delivery --
UPDATE webhook_deliveries SET status = 'cancelled', next_attempt_at = NULL, finished_at = now()
WHERE id = %(id)s AND status = 'pending'

-- cancel_deliveries --
UPDATE webhook_deliveries SET status = 'cancelled', next_attempt_at = NULL, finished_at = now()
WHERE webhook_id = %(webhook_id)s AND status = 'pending'

-- reopen_delivery --
-- A delivery that is over is tried again; its attempts go on counting.
UPDATE webhook_deliveries SET status = 'pending', next_attempt_at = now(), finished_at = NULL
WHERE id = %(id)s
RETURNING webhook_id

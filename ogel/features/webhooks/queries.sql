-- insert_endpoint --
INSERT INTO webhook_endpoints
  (id, url, description, event_globs, event_likes, sealed_secret, headers, max_in_flight, timeout_seconds)
VALUES
  (%(id)s, %(url)s, %(description)s, %(event_globs)s, %(event_likes)s, %(sealed_secret)s, %(headers)s::jsonb,
   %(max_in_flight)s, %(timeout_seconds)s)
RETURNING id, url, description, event_globs AS events, state, headers, max_in_flight, timeout_seconds, created_at,
          updated_at

-- get_endpoint --
SELECT id, url, description, event_globs AS events, state, headers, max_in_flight, timeout_seconds, created_at,
       updated_at
FROM webhook_endpoints WHERE id = %(id)s

-- lock_endpoint --
-- FOR UPDATE conflicts with the FOR KEY SHARE of a fan-out: a state change waits for publishers, and they for it.
SELECT id, url, description, event_globs AS events, state, headers, max_in_flight, timeout_seconds, created_at,
       updated_at
FROM webhook_endpoints WHERE id = %(id)s FOR UPDATE

-- list_endpoints --
SELECT id, url, description, event_globs AS events, state, headers, max_in_flight, timeout_seconds, created_at,
       updated_at
FROM webhook_endpoints
WHERE %(after)s::text IS NULL OR id < %(after)s
ORDER BY id DESC
LIMIT %(limit)s

-- update_endpoint --
UPDATE webhook_endpoints
SET url = %(url)s, description = %(description)s, event_globs = %(event_globs)s, event_likes = %(event_likes)s,
    state = %(state)s, headers = %(headers)s::jsonb, max_in_flight = %(max_in_flight)s,
    timeout_seconds = %(timeout_seconds)s, updated_at = now()
WHERE id = %(id)s
RETURNING id, url, description, event_globs AS events, state, headers, max_in_flight, timeout_seconds, created_at,
          updated_at

-- delete_endpoint --
DELETE FROM webhook_endpoints WHERE id = %(id)s

-- find_test_endpoint --
-- The endpoint an earlier test of this URL made: it listens to nothing by itself.
SELECT id FROM webhook_endpoints WHERE url = %(url)s AND event_globs = '{}' LIMIT 1

-- replace_secret --
UPDATE webhook_endpoints SET sealed_secret = %(sealed_secret)s, updated_at = now() WHERE id = %(id)s

-- match --
-- Which endpoints hear which of these events; the row lock keeps each endpoint's state as read until we commit.
SELECT e.id, w.id, w.state, w.max_in_flight
FROM unnest(%(ids)s::text[], %(types)s::text[]) AS e (id, type)
JOIN webhook_endpoints AS w ON e.type LIKE ANY (w.event_likes)
FOR KEY SHARE OF w

-- insert_deliveries --
INSERT INTO webhook_deliveries (id, event_id, webhook_id, next_attempt_at)
SELECT id, event_id, webhook_id, now()
FROM json_to_recordset(%(rows)s::json) AS d (id text, event_id text, webhook_id text)

-- load_work --
-- What an attempt needs. A delivery that is over or whose endpoint is gone is left out: nothing to do.
SELECT d.id, e.id, e.type, e.data::text, e.subject, e.created_at, w.id, w.url, w.state, w.sealed_secret, w.headers,
       w.timeout_seconds, d.attempts
FROM webhook_deliveries AS d
JOIN events AS e ON e.id = d.event_id
JOIN webhook_endpoints AS w ON w.id = d.webhook_id
WHERE d.id = ANY (%(ids)s) AND d.status IN ('pending', 'failed')

-- record --
-- The attempts of a batch, and where each delivery stands after it. 'cancelled' stays while attempts would go on: the
-- endpoint was deleted while its last attempt was under way.
WITH log AS (
  INSERT INTO webhook_attempts
    (id, delivery_id, number, outcome, reason, detail, response_status, response_body, response_cut, peer, started_at,
     duration_seconds)
  SELECT id, delivery_id, number, outcome, reason, detail, response_status, response_body, response_cut, peer,
         started_at, duration_seconds
  FROM json_to_recordset(%(attempts)s::json) AS a (
    id text, delivery_id text, number int, outcome text, reason text, detail text, response_status int,
    response_body text, response_cut boolean, peer text, started_at timestamptz, duration_seconds float8
  )
)
UPDATE webhook_deliveries AS d
SET status = CASE WHEN d.status = 'cancelled' AND r.status = 'pending' THEN d.status ELSE r.status END,
    attempts = greatest(d.attempts, r.attempts),
    next_attempt_at = CASE WHEN d.status = 'cancelled' THEN NULL ELSE r.next_attempt_at END,
    finished_at = CASE WHEN r.status <> 'pending' THEN now() WHEN d.status = 'cancelled' THEN d.finished_at END
FROM json_to_recordset(%(settled)s::json) AS r (
  id text, status text, attempts int, next_attempt_at timestamptz
)
WHERE d.id = r.id

-- cancel_deliveries --
UPDATE webhook_deliveries SET status = 'cancelled', next_attempt_at = NULL, finished_at = now()
WHERE webhook_id = %(webhook_id)s AND status = 'pending'

-- cancel_delivery --
UPDATE webhook_deliveries SET status = 'cancelled', next_attempt_at = NULL, finished_at = now()
WHERE id = %(id)s AND status = 'pending'

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

-- reopen_delivery --
-- A delivery that is over is tried again; its attempts go on counting.
UPDATE webhook_deliveries SET status = 'pending', next_attempt_at = now(), finished_at = NULL
WHERE id = %(id)s
RETURNING webhook_id

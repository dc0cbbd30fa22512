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

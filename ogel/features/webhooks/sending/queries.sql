-- load_work --
-- What an attempt needs of its delivery; what it needs of the endpoint is kept, see receiver.py. A delivery that is over
-- or whose endpoint is gone is left out: nothing to do.
SELECT d.id, d.attempts, d.created_at, h.webhook_id IS NOT NULL, h.opened_at IS NOT NULL, w.id, w.version,
       w.event_globs = '{}', e.id, e.type, CASE w.payload WHEN 'full' THEN e.data::text ELSE 'null' END, e.subject, e.created_at
FROM webhook_deliveries AS d
JOIN {events} AS e ON e.id = d.event_id
JOIN webhook_endpoints AS w ON w.id = d.webhook_id
LEFT JOIN webhook_health AS h ON h.webhook_id = w.id
WHERE d.id = ANY (%(ids)s) AND d.status IN ('pending', 'failed')

-- one_offs --
SELECT DISTINCT w.id FROM webhook_deliveries AS d JOIN webhook_endpoints AS w ON w.id = d.webhook_id
WHERE d.id = ANY (%(ids)s) AND w.event_globs = '{}'

-- receivers --
SELECT id, version, url, kind, timeout_seconds, payload, compatibility, description, headers, sealed_headers
FROM webhook_endpoints WHERE id = ANY (%(ids)s)

-- attempts --
-- The piece `sent`: attempts of a batch.
SELECT * FROM json_to_recordset(%(attempts)s::json) AS a (
  delivery_id text, number int, outcome text, started_at timestamptz, duration_seconds float8, reason text, detail text,
  request_headers json, response_status int, response_headers json, response_body text, response_cut boolean, peer text,
  dns_seconds real, connect_seconds real, tls_seconds real, first_byte_seconds real
)

-- attempts_of_ended --
-- The piece `sent`, where all are `given` and the jobs that this claim still held are `ended`.
SELECT given.* FROM given JOIN ended ON ended.payload ->> 'delivery' = given.delivery_id

-- log_attempts --
-- A piece: what was `sent` goes into the log. What was taken for lost gives way to the truth, which may have been told
-- late, and before.
INSERT INTO webhook_attempts AS known
  (delivery_id, number, outcome, started_at, duration_seconds, reason, detail, request_headers, response_status,
   response_headers, response_body, response_cut, peer, dns_seconds, connect_seconds, tls_seconds, first_byte_seconds)
SELECT delivery_id, number, outcome, started_at, duration_seconds, reason, detail, request_headers, response_status,
       response_headers, response_body, coalesce(response_cut, false), peer, dns_seconds, connect_seconds, tls_seconds,
       first_byte_seconds
FROM sent
ON CONFLICT (delivery_id, number) DO UPDATE
SET outcome = excluded.outcome, started_at = excluded.started_at, duration_seconds = excluded.duration_seconds,
    reason = excluded.reason, detail = excluded.detail, request_headers = excluded.request_headers,
    response_status = excluded.response_status, response_headers = excluded.response_headers,
    response_body = excluded.response_body, response_cut = excluded.response_cut, peer = excluded.peer,
    dns_seconds = excluded.dns_seconds, connect_seconds = excluded.connect_seconds,
    tls_seconds = excluded.tls_seconds, first_byte_seconds = excluded.first_byte_seconds, recorded_at = now()
WHERE known.outcome = 'unknown'

-- standing --
-- The piece `stands`: where deliveries stand after a batch.
SELECT * FROM json_to_recordset(%(settled)s::json) AS r (
  id text, status text, attempts int, next_attempt_at timestamptz
)

-- delivered --
-- The piece `stands`, where everything that was `sent` has arrived.
SELECT delivery_id AS id, 'delivered' AS status, number AS attempts, NULL::timestamptz AS next_attempt_at FROM sent

-- settle --
-- 'cancelled' stays while attempts would go on: the endpoint was deleted while its last attempt was under way.
UPDATE webhook_deliveries AS d
SET status = CASE WHEN d.status = 'cancelled' AND r.status = 'pending' THEN d.status ELSE r.status END,
    attempts = greatest(d.attempts, r.attempts),
    next_attempt_at = CASE WHEN d.status = 'cancelled' THEN NULL ELSE r.next_attempt_at END,
    finished_at = CASE WHEN r.status <> 'pending' THEN now() WHEN d.status = 'cancelled' THEN d.finished_at END
FROM stands AS r
WHERE d.id = r.id

-- nothing --
SELECT NULL, NULL

-- record_lost --
WITH lost AS (
  SELECT delivery_id, started_at, row_number() OVER (PARTITION BY delivery_id ORDER BY started_at) AS place,
         count(*) OVER (PARTITION BY delivery_id) AS attempts
  FROM json_to_recordset(%(attempts)s::json) AS a (delivery_id text, started_at timestamptz)
),
counted AS (
  UPDATE webhook_deliveries AS d SET attempts = d.attempts + lost.attempts
  FROM lost
  WHERE d.id = lost.delivery_id AND lost.place = 1
  RETURNING d.id, d.attempts - lost.attempts AS before
)
INSERT INTO webhook_attempts (delivery_id, number, outcome, started_at, detail)
SELECT id, before + place, 'unknown', started_at, 'the worker disappeared before it could say how this ended'
FROM counted JOIN lost ON lost.delivery_id = counted.id
ON CONFLICT (delivery_id, number) DO NOTHING

-- lock_deliveries --
-- Those that are still there, until the transaction ends: retention deletes attempts with their delivery.
SELECT id FROM webhook_deliveries WHERE id = ANY (%(ids)s) ORDER BY id FOR KEY SHARE

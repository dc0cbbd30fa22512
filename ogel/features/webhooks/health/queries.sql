-- failed --
-- Counts failures, by endpoint; the caller has locked the endpoints. `in_row`: those after the last sign of life;
-- `alive`: there was one among them.
WITH new AS (
  SELECT f.* FROM json_to_recordset(%(rows)s::json) AS f (
    webhook_id text, failures int, in_row int, alive boolean, error text
  )
  JOIN webhook_endpoints AS w ON w.id = f.webhook_id
),
known AS (
  UPDATE webhook_health AS h
  SET failures = h.failures + new.failures, last_error = new.error,
      failures_in_row = CASE WHEN new.alive THEN 0 ELSE h.failures_in_row END + new.in_row
  FROM new
  WHERE h.webhook_id = new.webhook_id
  RETURNING h.webhook_id, h.failing_since, h.failures, h.failures_in_row, h.last_error, h.opened_at, h.warned
),
first AS (
  INSERT INTO webhook_health (webhook_id, failures, failures_in_row, last_error)
  SELECT webhook_id, failures, in_row, error FROM new
  WHERE webhook_id NOT IN (SELECT webhook_id FROM webhook_health)
  RETURNING webhook_id, failing_since, failures, failures_in_row, last_error, opened_at, warned
)
SELECT * FROM known UNION ALL SELECT * FROM first ORDER BY webhook_id

-- well --
-- Endpoints that answered 2xx have nothing to be remembered for.
DELETE FROM webhook_health WHERE webhook_id = ANY (%(ids)s)
RETURNING webhook_id, opened_at IS NOT NULL, failing_since

-- open --
UPDATE webhook_health SET opened_at = now() WHERE webhook_id = %(id)s

-- close --
UPDATE webhook_health SET opened_at = NULL, failures_in_row = 0 WHERE webhook_id = %(id)s

-- warned --
UPDATE webhook_health SET warned = %(percent)s WHERE webhook_id = %(id)s

-- disable --
-- Skips an endpoint that its owner has paused. Returns the URL if this disabled it.
UPDATE webhook_endpoints SET state = 'disabled', disabled_reason = %(reason)s, updated_at = now()
WHERE id = %(id)s AND state = 'enabled'
RETURNING url

-- url_of --
SELECT url FROM webhook_endpoints WHERE id = %(id)s

-- lock_endpoints --
-- Locks the endpoints before anything is decided about them, as every change of an endpoint does.
SELECT id FROM webhook_endpoints WHERE id = ANY (%(ids)s) ORDER BY id FOR NO KEY UPDATE

-- forget --
DELETE FROM webhook_health WHERE webhook_id = %(id)s

-- of --
-- With the piece `breakers`.
SELECT k.key,
       CASE WHEN k.probe_at IS NOT NULL THEN 'open'
            WHEN k.ramp_until > now() THEN 'half_open'
            ELSE 'closed' END,
       h.failing_since, coalesce(h.failures_in_row, 0), k.probe_at, h.last_error
FROM breakers AS k LEFT JOIN webhook_health AS h ON h.webhook_id = k.key

-- breakers --
-- With the piece `ramping`.
SELECT count(*) FILTER (WHERE opened_at IS NOT NULL) AS open, (SELECT count(*) FROM ramping) AS half_open,
       count(*) FILTER (WHERE opened_at IS NULL) AS ailing
FROM webhook_health

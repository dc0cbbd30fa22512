-- load_messages --
-- With the device, where there is one.
SELECT m.attempts, m.queued_at, m.lifetime_seconds, m.id, m.channel, m.recipient, m.content,
       d.id, d.sealed, d.disabled_reason, d.updated_at
FROM messages AS m LEFT JOIN devices AS d ON m.channel = 'push' AND d.id = m.recipient
WHERE m.id = ANY (%(ids)s) AND m.status = 'queued'

-- add_attempts --
INSERT INTO message_attempts (id, message_id, provider, outcome, error, started_at, duration_seconds)
SELECT id, message_id, provider,
       CASE WHEN provider IS NULL THEN 'unknown' WHEN error IS NULL THEN 'sent' ELSE 'failed' END, error, started_at,
       seconds
FROM json_to_recordset(%(rows)s::json) AS r (
  id text, message_id text, provider text, started_at timestamptz, seconds real, error text
)

-- settle --
-- Updates messages after an attempt. Returns what is published about those that are finished. This transaction holds
-- their jobs, so no other one updates them.
WITH settled AS (
  UPDATE messages AS m
  SET status = r.status, provider = r.provider, provider_message_id = r.provider_id, error = r.error,
      attempts = m.attempts + r.attempts, next_attempt_at = r.next_attempt_at,
      finished_at = CASE WHEN r.status <> 'queued' THEN now() END
  FROM json_to_recordset(%(rows)s::json) AS r (
    id text, status text, provider text, provider_id text, error text, attempts int, next_attempt_at timestamptz
  )
  WHERE m.id = r.id AND m.status = 'queued'
  RETURNING m.id, m.channel, m.recipient AS "to", m.status, m.provider, m.provider_message_id, m.error, m.attempts
)
SELECT * FROM settled WHERE status <> 'queued'

-- give_up --
-- Returns what is published about the messages.
UPDATE messages
SET status = 'failed', error = %(error)s, finished_at = now(), next_attempt_at = NULL
WHERE id = ANY (%(ids)s) AND status = 'queued'
RETURNING id, channel, recipient AS "to", status, provider, provider_message_id, error, attempts

-- reopen --
-- Their jobs run again and their lifetime starts anew. A message that was sent is not changed.
UPDATE messages
SET status = 'queued', queued_at = now(), finished_at = NULL, next_attempt_at = NULL
WHERE id = ANY (%(ids)s) AND status <> 'sent'

-- load_messages --
-- With the device, where there is one.
SELECT m.id, m.channel, m.recipient, m.content, m.lifetime_seconds, m.queued_at,
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

-- settle_messages --
-- Their jobs are held by this transaction, so nobody else writes them.
UPDATE messages AS m
SET status = r.status, provider = r.provider, provider_message_id = r.provider_id, error = r.error,
    attempts = m.attempts + r.attempts, next_attempt_at = r.next_attempt_at,
    finished_at = CASE WHEN r.status <> 'queued' THEN now() END
FROM json_to_recordset(%(rows)s::json) AS r (
  id text, status text, provider text, provider_id text, error text, attempts int, next_attempt_at timestamptz
)
WHERE m.id = r.id AND m.status = 'queued'
RETURNING m.id, m.channel, m.recipient AS "to", m.status, m.provider, m.provider_message_id, m.error, m.attempts

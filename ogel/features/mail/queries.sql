-- known_request --
SELECT fingerprint, answer::text FROM mail_requests WHERE idempotency_key = %(key)s

-- insert_request --
-- Inserts nothing when the key is taken. A concurrent request with the same key waits until the other has committed.
INSERT INTO mail_requests
  (id, idempotency_key, fingerprint, answer, sender, reply_to, subject, body_text, body_html, headers, template, locale,
   sealed, lifetime_seconds)
VALUES
  (%(id)s, %(key)s, %(fingerprint)s, %(answer)s::json, %(sender)s, %(reply_to)s, %(subject)s, %(text)s,
   %(html)s, %(headers)s::json, %(template)s, %(locale)s, %(sealed)s, %(lifetime_seconds)s)
ON CONFLICT (idempotency_key) DO NOTHING
RETURNING id

-- insert_messages --
INSERT INTO mail_messages (id, request_id, recipient, address, status, next_attempt_at, finished_at)
SELECT id, %(request_id)s, recipient, address, status, CASE WHEN status = 'queued' THEN now() END,
       CASE WHEN status <> 'queued' THEN now() END
FROM json_to_recordset(%(rows)s::json) AS new (id text, recipient text, address text, status text)

-- suppressed --
SELECT address FROM mail_suppressions WHERE address = ANY (%(addresses)s)

-- get_message --
SELECT m.id, m.recipient AS "to", r.sender AS from_, r.reply_to, r.subject, r.template, r.locale, m.status, m.attempts,
       m.provider, m.provider_id, m.error, m.next_attempt_at, m.finished_at, m.created_at
FROM mail_messages AS m JOIN mail_requests AS r ON r.id = m.request_id
WHERE m.id = %(id)s

-- list_messages --
SELECT m.id, m.recipient AS "to", r.sender AS from_, r.reply_to, r.subject, r.template, r.locale, m.status, m.attempts,
       m.provider, m.provider_id, m.error, m.next_attempt_at, m.finished_at, m.created_at
FROM mail_messages AS m JOIN mail_requests AS r ON r.id = m.request_id
WHERE (%(after)s::text IS NULL OR m.id < %(after)s)
  AND (%(status)s::text IS NULL OR m.status = %(status)s)
  AND (%(address)s::text IS NULL OR m.address = %(address)s)
ORDER BY m.id DESC
LIMIT %(limit)s

-- get_with_attempts --
-- One statement, so that both are read from one snapshot.
SELECT m.id, m.recipient AS "to", r.sender AS from_, r.reply_to, r.subject, r.template, r.locale, m.status, m.attempts,
       m.provider, m.provider_id, m.error, m.next_attempt_at, m.finished_at, m.created_at,
       coalesce((
         SELECT json_agg(json_build_object(
           'provider', a.provider, 'started_at', a.started_at, 'seconds', a.seconds, 'error', a.error) ORDER BY a.id)
         FROM mail_attempts AS a WHERE a.message_id = m.id
       ), '[]') AS log
FROM mail_messages AS m JOIN mail_requests AS r ON r.id = m.request_id
WHERE m.id = %(id)s

-- due_letter --
-- What a job of a message that is still to be sent needs.
SELECT r.id, m.recipient, r.sender, r.reply_to, r.subject, r.body_text, r.body_html, r.headers, r.sealed, m.created_at,
       m.attempts, m.queued_at, s.address IS NOT NULL AS suppressed, r.lifetime_seconds
FROM mail_messages AS m
JOIN mail_requests AS r ON r.id = m.request_id
LEFT JOIN mail_suppressions AS s ON s.address = m.address
WHERE m.id = %(id)s AND m.status = 'queued'

-- add_attempts --
INSERT INTO mail_attempts (message_id, provider, started_at, seconds, error)
SELECT message_id, provider, started_at, seconds, error
FROM json_to_recordset(%(rows)s::json) AS new (
  message_id text, provider text, started_at timestamptz, seconds float8, error text
)

-- settle --
-- Updates messages after an attempt. Returns what is published about those that are finished.
WITH settled AS (
  UPDATE mail_messages AS m
  SET status = new.status, attempts = m.attempts + new.attempts, error = new.error,
      provider = coalesce(new.provider, m.provider), provider_id = coalesce(new.provider_id, m.provider_id),
      next_attempt_at = new.next_attempt_at, finished_at = CASE WHEN new.status <> 'queued' THEN now() END
  FROM json_to_recordset(%(rows)s::json) AS new (
    id text, status text, attempts int, error text, provider text, provider_id text, next_attempt_at timestamptz
  )
  WHERE m.id = new.id AND m.status = 'queued'
  RETURNING m.id, m.request_id, m.recipient, m.status, m.provider, m.provider_id, m.error
), forgotten AS (
  -- Sealed words have one recipient.
  UPDATE mail_requests SET sealed = NULL
  WHERE id = ANY (ARRAY (SELECT request_id FROM settled WHERE status = 'sent')) AND sealed IS NOT NULL
)
SELECT s.id, s.recipient AS "to", s.status, r.template, s.provider, s.provider_id, s.error
FROM settled AS s JOIN mail_requests AS r ON r.id = s.request_id
WHERE s.status IN ('sent', 'failed')
ORDER BY s.id

-- suppress_bounced --
INSERT INTO mail_suppressions (address, reason, detail, message_id)
SELECT m.address, 'bounce', new.error, m.id
FROM json_to_recordset(%(rows)s::json) AS new (id text, error text) JOIN mail_messages AS m ON m.id = new.id
ORDER BY m.address
ON CONFLICT (address) DO NOTHING

-- give_up --
-- Returns what is published about the messages.
WITH given_up AS (
  UPDATE mail_messages SET status = 'failed', error = %(error)s, next_attempt_at = NULL, finished_at = now()
  WHERE id = ANY (%(ids)s) AND status = 'queued'
  RETURNING id, request_id, recipient, status, provider, provider_id, error
)
SELECT g.id, g.recipient AS "to", g.status, r.template, g.provider, g.provider_id, g.error
FROM given_up AS g JOIN mail_requests AS r ON r.id = g.request_id
ORDER BY g.id

-- reopen --
-- A message that was sent is not changed.
UPDATE mail_messages SET status = 'queued', queued_at = now(), next_attempt_at = now(), finished_at = NULL
WHERE id = ANY (%(ids)s) AND status <> 'sent'

-- forget_attempts --
-- Of messages that are `old`: see runtime/delivery/purge.py.
DELETE FROM mail_attempts WHERE message_id = ANY (ARRAY (SELECT id FROM old))

-- forget_requests --
-- Deletes requests of which no message is left.
DELETE FROM mail_requests AS r
WHERE id = ANY (ARRAY (SELECT request_id FROM mail_messages WHERE id = ANY (ARRAY (SELECT id FROM old))))
  AND NOT EXISTS (SELECT FROM mail_messages AS m WHERE m.request_id = r.id AND m.id NOT IN (SELECT id FROM old))

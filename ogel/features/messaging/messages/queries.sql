-- known_request --
SELECT fingerprint, answer::text FROM message_requests WHERE key = %(key)s

-- insert_request --
INSERT INTO message_requests (key, fingerprint, answer) VALUES (%(key)s, %(fingerprint)s, %(answer)s)
ON CONFLICT (key) DO NOTHING

-- insert_messages --
INSERT INTO messages (id, channel, recipient, content, status, error, lifetime_seconds, finished_at)
SELECT id, channel, recipient, content, status, error, lifetime_seconds, CASE WHEN status <> 'queued' THEN now() END
FROM json_to_recordset(%(rows)s::json) AS r (
  id text, channel text, recipient text, content json, status text, error text, lifetime_seconds int
)

-- get_message --
SELECT id, channel, recipient AS "to", status, content->>'title' AS title, provider, provider_message_id, error,
       attempts, next_attempt_at, finished_at, created_at
FROM messages WHERE id = %(id)s

-- get_with_attempts --
-- First to last. One statement, so that an attempt and its outcome are read from one snapshot.
SELECT id, channel, recipient AS "to", status, content->>'title' AS title, provider, provider_message_id, error,
       attempts, next_attempt_at, finished_at, created_at,
       (SELECT coalesce(json_agg(a ORDER BY a.started_at, a.id), '[]')
        FROM (SELECT id, provider, outcome, error, started_at, duration_seconds
              FROM message_attempts WHERE message_id = messages.id) AS a) AS log
FROM messages WHERE id = %(id)s

-- list_messages --
-- Newest first; every filter may be null.
SELECT id, channel, recipient AS "to", status, content->>'title' AS title, provider, provider_message_id, error,
       attempts, next_attempt_at, finished_at, created_at
FROM messages
WHERE (%(after)s::text IS NULL OR id < %(after)s)
  AND (%(channel)s::text IS NULL OR channel = %(channel)s)
  AND (%(status)s::text IS NULL OR status = %(status)s)
  AND (%(to)s::text IS NULL OR recipient = %(to)s)
ORDER BY id DESC
LIMIT %(limit)s

-- forget_attempts --
-- Of messages that are `old`: see runtime/delivery/purge.py.
DELETE FROM message_attempts WHERE message_id = ANY (ARRAY (SELECT id FROM old))

-- count_old_requests --
SELECT count(*) FROM (SELECT FROM message_requests WHERE created_at < %(before)s LIMIT %(most)s) AS old

-- purge_old_requests --
DELETE FROM message_requests WHERE key IN (
  SELECT key FROM message_requests WHERE created_at < %(before)s ORDER BY created_at LIMIT %(limit)s
  FOR UPDATE SKIP LOCKED
)

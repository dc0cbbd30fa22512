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
-- First to last. In one statement: an attempt and what it came to are seen together, or not yet.
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

-- reopen_messages --
-- Their jobs run again, and their time begins anew.
UPDATE messages
SET status = 'queued', queued_at = now(), finished_at = NULL, next_attempt_at = NULL
WHERE id = ANY (%(ids)s) AND status <> 'sent'

-- drop_messages --
-- Their jobs were discarded.
UPDATE messages
SET status = 'failed', error = %(error)s, finished_at = now(), next_attempt_at = NULL
WHERE id = ANY (%(ids)s) AND status = 'queued'
RETURNING id, channel, recipient AS "to", status, provider, provider_message_id, error, attempts

-- count_old --
SELECT count(*) FROM (SELECT FROM messages WHERE finished_at < %(before)s LIMIT %(most)s) AS old

-- purge_old --
-- Their attempts and dead jobs go with them; what is queued is never forgotten. Others lock a job before what it is
-- about: one whose job is locked is passed over, so that nobody waits in a circle.
WITH seen AS MATERIALIZED (
  SELECT id, finished_at FROM messages
  WHERE finished_at < %(before)s AND finished_at >= %(after_at)s::timestamptz
    AND (finished_at, id) > (%(after_at)s::timestamptz, %(after_id)s::text)
  ORDER BY finished_at, id LIMIT %(limit)s
), dead AS MATERIALIZED (
  SELECT id FROM job_queue
  WHERE id = ANY (ARRAY (SELECT 'job_' || substr(id, 5) FROM seen)) AND status = 'dead'
), their_jobs AS MATERIALIZED (
  SELECT id FROM job_queue WHERE id = ANY (ARRAY (SELECT id FROM dead)) AND status = 'dead' FOR UPDATE SKIP LOCKED
), old AS MATERIALIZED (
  SELECT id FROM messages
  WHERE id = ANY (ARRAY (SELECT id FROM seen)) AND finished_at < %(before)s
    AND 'job_' || substr(id, 5) NOT IN (SELECT id FROM dead EXCEPT SELECT id FROM their_jobs)
  FOR UPDATE SKIP LOCKED
), gone_jobs AS (
  DELETE FROM job_queue WHERE id = ANY (ARRAY (SELECT 'job_' || substr(id, 5) FROM old)) AND status = 'dead'
), gone_attempts AS (
  DELETE FROM message_attempts WHERE message_id = ANY (ARRAY (SELECT id FROM old))
), gone AS (
  DELETE FROM messages WHERE id = ANY (ARRAY (SELECT id FROM old)) RETURNING id
)
SELECT (SELECT count(*) FROM gone), (SELECT count(*) FROM seen), last.finished_at::text, last.id
FROM (SELECT) AS one LEFT JOIN seen AS last ON true ORDER BY last.finished_at DESC, last.id DESC LIMIT 1

-- count_old_requests --
SELECT count(*) FROM (SELECT FROM message_requests WHERE created_at < %(before)s LIMIT %(most)s) AS old

-- purge_old_requests --
DELETE FROM message_requests WHERE key IN (
  SELECT key FROM message_requests WHERE created_at < %(before)s ORDER BY created_at LIMIT %(limit)s
  FOR UPDATE SKIP LOCKED
)

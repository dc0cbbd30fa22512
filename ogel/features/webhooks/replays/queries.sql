-- listener --
-- What an endpoint listens to, for counting only: it may be another thing a moment later.
SELECT event_likes, filter::text, ordered_by FROM webhook_endpoints WHERE id = %(webhook_id)s

-- hold_listener --
-- Keeps the endpoint from being deleted until we commit, as fan-out does.
SELECT event_likes, filter::text, ordered_by FROM webhook_endpoints WHERE id = %(webhook_id)s FOR KEY SHARE

-- insert_replay --
-- Inserts nothing while another replay of the endpoint is unfinished.
INSERT INTO webhook_replays
  (id, webhook_id, since, until, choice, event_globs, event_likes, per_second, cursor_at, cursor_id, counted_at,
   counted_id, counted, is_counted)
VALUES
  (%(id)s, %(webhook_id)s, %(since)s, %(until)s, %(only)s, %(event_globs)s, %(event_likes)s, %(per_second)s,
   %(cursor_at)s, %(cursor_id)s, %(counted_at)s, %(counted_id)s, %(counted)s, %(is_counted)s)
ON CONFLICT (webhook_id) WHERE status IN ('running', 'paused') DO NOTHING
RETURNING id

-- unfinished --
SELECT id FROM webhook_replays WHERE webhook_id = %(webhook_id)s AND status IN ('running', 'paused')

-- get_replay --
SELECT id, webhook_id AS webhook, since, until, choice AS only, event_globs AS events, status,
       CASE WHEN is_counted THEN counted END AS total, replayed, skipped, per_second, cursor_at AS reached, error,
       created_at, finished_at
FROM webhook_replays WHERE id = %(id)s

-- list_replays --
SELECT id, webhook_id AS webhook, since, until, choice AS only, event_globs AS events, status,
       CASE WHEN is_counted THEN counted END AS total, replayed, skipped, per_second, cursor_at AS reached, error,
       created_at, finished_at
FROM webhook_replays
WHERE (%(after)s::text IS NULL OR id < %(after)s)
  AND (%(webhook)s::text IS NULL OR webhook_id = %(webhook)s)
  AND (%(status)s::text IS NULL OR status = %(status)s)
ORDER BY id DESC
LIMIT %(limit)s

-- lock_progress --
-- For the job of this step only: after a pause, or once another job has done its step, there is nothing to do.
SELECT webhook_id, since, until, choice, event_globs, event_likes, per_second, waits, cursor_at, cursor_id,
       counted_at, counted_id, counted, is_counted, created_at
FROM webhook_replays
WHERE id = %(id)s AND step = %(step)s AND status = 'running'
FOR UPDATE

-- advance --
UPDATE webhook_replays
SET step = step + 1, waits = %(waits)s, cursor_at = %(cursor_at)s, cursor_id = %(cursor_id)s,
    replayed = replayed + %(replayed)s, skipped = skipped + %(skipped)s, counted_at = %(counted_at)s,
    counted_id = %(counted_id)s, counted = %(counted)s, is_counted = %(is_counted)s,
    status = %(status)s, finished_at = CASE WHEN %(status)s = 'completed' THEN now() END
WHERE id = %(id)s

-- pause --
UPDATE webhook_replays SET status = 'paused', step = step + 1 WHERE id = %(id)s AND status = 'running'

-- resume --
UPDATE webhook_replays SET status = 'running', step = step + 1, waits = 0, error = NULL
WHERE id = %(id)s AND status = 'paused'
RETURNING step

-- cancel --
UPDATE webhook_replays SET status = 'cancelled', finished_at = now()
WHERE id = %(id)s AND status IN ('running', 'paused')

-- cancel_of_webhook --
UPDATE webhook_replays SET status = 'cancelled', finished_at = now()
WHERE webhook_id = %(webhook_id)s AND status IN ('running', 'paused')

-- stop --
-- The job of this step will not be tried again: people decide. Its step stays, so that reviving the job goes on.
UPDATE webhook_replays SET status = 'paused', error = %(error)s
WHERE id = %(id)s AND step = %(step)s AND status = 'running'

-- go_on --
UPDATE webhook_replays SET status = 'running', error = NULL
WHERE id = %(id)s AND step = %(step)s AND status = 'paused'

-- events_page --
-- The end of the next page of events that one statement may read, and their number.
SELECT created_at, id, count FROM (
  SELECT created_at, id, count(*) OVER () AS count FROM (
    SELECT created_at, id FROM {events} AS e
    WHERE (created_at, id) > (%(after_at)s, %(after_id)s) AND created_at <= %(until)s
    ORDER BY created_at, id LIMIT %(limit)s
  ) AS page
) AS counted
ORDER BY created_at DESC, id DESC LIMIT 1

-- find_events --
-- Events of a page to be replayed, with their delivery if there is one. Tests were meant for one endpoint, and are
-- missed by none.
SELECT e.id, e.type, e.subject, e.created_at, d.id, coalesce(d.status = 'pending', false),
       CASE WHEN d.id IS NULL AND %(with_data)s THEN e.data::text END
FROM (
  SELECT id, type, subject, data, created_at FROM {events} AS e
  WHERE (created_at, id) > (%(after_at)s, %(after_id)s) AND (created_at, id) <= (%(end_at)s, %(end_id)s)
    AND type LIKE ANY (%(event_likes)s)
  ORDER BY created_at, id
) AS e
LEFT JOIN LATERAL (
  SELECT id, status FROM webhook_deliveries WHERE event_id = e.id AND webhook_id = %(webhook_id)s LIMIT 1
) AS d ON true
WHERE CASE WHEN d.id IS NULL THEN e.type LIKE ANY (%(listens_to)s) AND e.type <> %(test)s ELSE %(delivered_too)s END
ORDER BY e.created_at, e.id
LIMIT %(limit)s

-- count_events --
-- What find_events would find on the whole page: replayable, pending.
SELECT count(*) FILTER (WHERE d.status IS DISTINCT FROM 'pending'), count(*) FILTER (WHERE d.status = 'pending')
FROM (
  SELECT id, type FROM {events} AS e
  WHERE (created_at, id) > (%(after_at)s, %(after_id)s) AND (created_at, id) <= (%(end_at)s, %(end_id)s)
    AND type LIKE ANY (%(event_likes)s)
) AS e
LEFT JOIN LATERAL (
  SELECT id, status FROM webhook_deliveries WHERE event_id = e.id AND webhook_id = %(webhook_id)s LIMIT 1
) AS d ON true
WHERE CASE WHEN d.id IS NULL THEN e.type LIKE ANY (%(listens_to)s) AND e.type <> %(test)s ELSE %(delivered_too)s END

-- failed_page --
-- The same for deliveries; `created_at` of the last one's event.
SELECT (SELECT created_at FROM {events} AS e WHERE e.id = event_id), id, count FROM (
  SELECT id, event_id, count(*) OVER () AS count FROM (
    SELECT id, event_id FROM webhook_deliveries
    WHERE webhook_id = %(webhook_id)s AND status = 'failed' AND id > %(after_id)s AND id < %(before_id)s
    ORDER BY id LIMIT %(limit)s
  ) AS page
) AS counted
ORDER BY id DESC LIMIT 1

-- find_failed --
SELECT e.id, e.type, e.subject, e.created_at, d.id, false, NULL
FROM (
  SELECT id, event_id FROM webhook_deliveries
  WHERE webhook_id = %(webhook_id)s AND status = 'failed' AND id > %(after_id)s AND id <= %(end_id)s
  ORDER BY id
) AS d
CROSS JOIN LATERAL (
  SELECT id, type, subject, created_at FROM {events} AS e WHERE id = d.event_id LIMIT 1
) AS e
WHERE e.created_at BETWEEN %(since)s AND %(until)s AND e.type LIKE ANY (%(event_likes)s)
ORDER BY d.id
LIMIT %(limit)s

-- count_failed --
-- None is pending: it would have another status.
SELECT count(*), 0
FROM webhook_deliveries AS d
CROSS JOIN LATERAL (SELECT type, created_at FROM {events} AS e WHERE id = d.event_id LIMIT 1) AS e
WHERE d.webhook_id = %(webhook_id)s AND d.status = 'failed' AND d.id > %(after_id)s AND d.id <= %(end_id)s
  AND e.created_at BETWEEN %(since)s AND %(until)s AND e.type LIKE ANY (%(event_likes)s)

-- reopen --
-- Deliveries that are over are tried again; their attempts go on counting. One that someone else retried meanwhile, and
-- that got through, stays delivered when only failures are replayed: its job will find nothing to do.
UPDATE webhook_deliveries SET status = 'pending', next_attempt_at = now(), finished_at = NULL
WHERE id = ANY (%(ids)s) AND status <> 'pending' AND (status = 'failed' OR %(delivered_too)s)

-- insert_missing --
-- A concurrent transaction may have made the missing delivery first.
INSERT INTO webhook_deliveries (id, event_id, webhook_id, next_attempt_at)
SELECT id, event_id, %(webhook_id)s, now()
FROM json_to_recordset(%(rows)s::json) AS d (id text, event_id text)
ON CONFLICT (event_id, webhook_id) DO NOTHING
RETURNING id

-- count_old --
SELECT count(*) FROM (SELECT FROM webhook_replays WHERE finished_at < %(before)s LIMIT %(most)s) AS old

-- purge_old --
DELETE FROM webhook_replays WHERE id IN (
  SELECT id FROM webhook_replays WHERE finished_at < %(before)s ORDER BY finished_at LIMIT %(limit)s
  FOR UPDATE SKIP LOCKED
)

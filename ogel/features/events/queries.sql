-- wait_briefly --
-- Limits how long this transaction waits for a lock.
SET LOCAL lock_timeout = '100ms'

-- get_event --
SELECT id, type, subject, data::text AS data, deliveries, created_at FROM events WHERE id = %(id)s

-- list_events --
-- Newest first. The cursor is (created_at, id), because callers may choose their own ids.
SELECT id, type, subject, data::text AS data, deliveries, created_at
FROM events
WHERE (%(after_at)s::timestamptz IS NULL OR (created_at, id) < (%(after_at)s, %(after_id)s))
  AND (%(type)s::text IS NULL OR type = %(type)s)
  AND (%(subject)s::text IS NULL OR subject = %(subject)s)
ORDER BY created_at DESC, id DESC
LIMIT %(limit)s

-- count_old --
-- An event stays as long as a delivery of it does (which the foreign key would insist on): what is not delivered yet is
-- never forgotten.
SELECT count(*) FROM (
  SELECT FROM events AS e
  WHERE e.created_at < %(before)s AND NOT EXISTS (SELECT FROM {delivered_events} AS d WHERE d.id = e.id)
  LIMIT %(most)s
) AS old

-- purge_old --
-- Its id is kept for ever, so that publishing it again still changes nothing; save for ids that Ogel made, which their
-- publishers learned from the answer and have no reason to send.
WITH seen AS MATERIALIZED (
  SELECT id, created_at FROM events
  WHERE created_at < %(before)s AND (created_at, id) > (%(after_at)s::timestamptz, %(after_id)s::text)
  ORDER BY created_at, id LIMIT %(limit)s
), old AS MATERIALIZED (
  SELECT e.id, e.deliveries FROM events AS e
  WHERE e.id = ANY (ARRAY (SELECT id FROM seen))
    AND NOT EXISTS (SELECT FROM {delivered_events} AS d WHERE d.id = e.id)
  FOR UPDATE OF e SKIP LOCKED
), remembered AS (
  INSERT INTO event_ids (id, deliveries)
  SELECT id, deliveries FROM old WHERE id !~ '^evt_[0-9a-hjkmnp-tv-z]{26}$'
  ON CONFLICT (id) DO NOTHING
), gone AS (
  DELETE FROM events WHERE id = ANY (ARRAY (SELECT id FROM old)) RETURNING id
)
SELECT (SELECT count(*) FROM gone), (SELECT count(*) FROM seen), last.created_at::text, last.id
FROM (SELECT) AS one LEFT JOIN seen AS last ON true ORDER BY last.created_at DESC, last.id DESC LIMIT 1

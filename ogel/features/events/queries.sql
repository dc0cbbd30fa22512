-- get_event --
SELECT id, type, subject, data::text AS data, deliveries, created_at FROM events WHERE id = %(id)s

-- list_events --
-- Newest first; the cursor is (created_at, id), because callers choose their own ids.
SELECT id, type, subject, data::text AS data, deliveries, created_at
FROM events
WHERE (%(after_at)s::timestamptz IS NULL OR (created_at, id) < (%(after_at)s, %(after_id)s))
  AND (%(type)s::text IS NULL OR type = %(type)s)
  AND (%(subject)s::text IS NULL OR subject = %(subject)s)
ORDER BY created_at DESC, id DESC
LIMIT %(limit)s

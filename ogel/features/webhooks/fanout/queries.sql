-- match --
-- Which endpoints hear which of these events; the row lock keeps each endpoint's state as read until we commit.
SELECT e.id, w.id, w.filter::text, w.ordered_by
FROM unnest(%(ids)s::text[], %(types)s::text[]) AS e (id, type)
JOIN webhook_endpoints AS w ON w.state <> 'disabled' AND e.type LIKE ANY (w.event_likes)
FOR KEY SHARE OF w

-- insert_deliveries --
INSERT INTO webhook_deliveries (id, event_id, webhook_id, next_attempt_at)
SELECT id, event_id, webhook_id, now()
FROM json_to_recordset(%(rows)s::json) AS d (id text, event_id text, webhook_id text)

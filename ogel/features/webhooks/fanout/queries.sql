-- listeners --
-- The endpoints that listen to each of these types; the keys (listening.py) find them through an index.
SELECT type, webhook_id, filter, ordered_by FROM webhook_listeners(%(types)s::text[], %(keys)s::text[])

-- listening --
-- The row lock keeps each endpoint from being deleted until we commit.
SELECT id FROM webhook_endpoints WHERE id = ANY (%(webhooks)s::text[]) AND state <> 'disabled' FOR KEY SHARE

-- listeners_hold --
SELECT count(*) = cardinality(%(webhooks)s::text[]) AS holds FROM listening

-- listeners_changed --
SELECT 'out of date', '' FROM listeners WHERE NOT holds

-- insert_deliveries --
INSERT INTO webhook_deliveries (id, event_id, webhook_id, next_attempt_at)
SELECT id, event_id, webhook_id, now()
FROM json_to_recordset(%(deliveries)s::json) AS d (id text, event_id text, webhook_id text)
WHERE event_id IN (SELECT id FROM published)

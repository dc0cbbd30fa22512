-- insert_events --
-- Ids already published are skipped; a publisher racing with the same id waits here for the other to commit.
INSERT INTO events (id, type, subject, data, created_at)
SELECT id, type, subject, data::json, created_at
FROM json_to_recordset(%(rows)s::json) AS new (
  id text, type text, subject text, data text, created_at timestamptz
)
ON CONFLICT (id) DO NOTHING
RETURNING id

-- count_deliveries --
UPDATE events AS e SET deliveries = n.deliveries
FROM json_to_recordset(%(rows)s::json) AS n (id text, deliveries int)
WHERE e.id = n.id

-- deliveries_of --
SELECT id, deliveries FROM events WHERE id = ANY (%(ids)s)

-- insert_events --
-- The piece `published`; conditions stand at its end. Ids already published are skipped, those of events long forgotten,
-- too; a publisher racing with the same id waits here for the other to commit.
INSERT INTO events (id, type, subject, data, deliveries, created_at)
SELECT id, type, subject, data::json, deliveries, created_at
FROM json_to_recordset(%%(events)s::json) AS new (
  id text, type text, subject text, data text, deliveries int, created_at timestamptz
)
WHERE NOT EXISTS (SELECT FROM event_ids AS forgotten WHERE forgotten.id = new.id)%b
ON CONFLICT (id) DO NOTHING
RETURNING id

-- published --
-- In the statements that follow, of a transaction that has several.
SELECT unnest(%(published)s::text[]) AS id

-- deliveries_of --
SELECT id, deliveries FROM events WHERE id = ANY (%(ids)s)
UNION ALL
SELECT id, deliveries FROM event_ids WHERE id = ANY (%(ids)s)

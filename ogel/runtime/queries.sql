-- insert_events --
-- Ids already published are skipped; a publisher racing with the same id waits here for the other to commit.
INSERT INTO events (id, type, subject, data, created_at)
SELECT * FROM unnest(
  %(id)s::text[], %(type)s::text[], %(subject)s::text[], %(data)s::json[], %(created_at)s::timestamptz[]
)
ON CONFLICT (id) DO NOTHING
RETURNING id

-- count_deliveries --
UPDATE events AS e SET deliveries = n.deliveries
FROM unnest(%(id)s::text[], %(deliveries)s::int[]) AS n (id, deliveries)
WHERE e.id = n.id

-- deliveries_of --
SELECT id, deliveries FROM events WHERE id = ANY (%(ids)s)

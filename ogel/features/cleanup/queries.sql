-- Each is one bounded bite, so that no lock is held for long; the job repeats it until a bite comes back short.

-- purge_deliveries --
-- Their attempts go with them.
WITH forgotten AS (
  DELETE FROM webhook_deliveries WHERE id IN (
    SELECT id FROM webhook_deliveries
    WHERE finished_at < %(before)s AND status <> 'pending'
    ORDER BY finished_at LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
  )
  RETURNING id
),
their_jobs AS (  -- those that died
  DELETE FROM job_queue WHERE id IN (SELECT 'job_' || substr(id, 5) FROM forgotten) AND status = 'dead'
),
their_attempts AS (DELETE FROM webhook_attempts WHERE delivery_id IN (SELECT id FROM forgotten))
SELECT count(*) FROM forgotten

-- purge_events --
-- An event stays as long as a delivery of it does: what is not delivered yet is never forgotten. Its id is kept for
-- ever, so that publishing it again still changes nothing; save for ids that Ogel made, which their publishers learned
-- from the answer and have no reason to send.
WITH forgotten AS (
  DELETE FROM events WHERE id IN (
    SELECT e.id FROM events AS e
    WHERE e.created_at < %(before)s
      AND NOT EXISTS (SELECT FROM webhook_deliveries AS d WHERE d.event_id = e.id)
    ORDER BY e.created_at LIMIT %(limit)s
    FOR UPDATE OF e SKIP LOCKED
  )
  RETURNING id, deliveries
), kept AS (
  INSERT INTO event_ids (id, deliveries)
  SELECT id, deliveries FROM forgotten WHERE id !~ '^evt_[0-9a-hjkmnp-tv-z]{26}$'
  ON CONFLICT (id) DO NOTHING
)
SELECT count(*) FROM forgotten

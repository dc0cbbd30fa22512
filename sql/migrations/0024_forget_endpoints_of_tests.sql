-- Tests of a URL left an endpoint behind that listens to nothing; they are forgotten with their last delivery now. Those
-- that are there have nothing on its way to them any more. The version before would make another one.
WITH gone AS (
  DELETE FROM webhook_endpoints AS w
  WHERE event_globs = '{}'
    AND NOT EXISTS (SELECT FROM webhook_deliveries AS d WHERE d.webhook_id = w.id AND d.status = 'pending')
  RETURNING id
)
DELETE FROM job_keys AS k
USING gone
WHERE k.key = gone.id AND NOT EXISTS (SELECT FROM job_queue AS j WHERE j.key = k.key);

-- change --
-- Tells schedulers to reload the schedules of users. Changes wait for each other, so that no two count the same rows.
UPDATE schedule_changes SET version = version + 1

-- count --
SELECT count(*) FROM schedules WHERE id IS NOT NULL

-- insert --
INSERT INTO schedules
  (id, name, cron, timezone, description, enabled, event_type, event_data, event_subject, job_kind, job_queue,
   job_payload, counted_from, next_tick_at, created_at)
VALUES
  (%(id)s, %(name)s, %(cron)s, %(timezone)s, %(description)s, %(enabled)s, %(event_type)s, %(event_data)s::json,
   %(event_subject)s, %(job_kind)s, %(job_queue)s, %(job_payload)s::jsonb, %(counted_from)s, %(next_tick_at)s,
   %(counted_from)s)
ON CONFLICT (name) DO NOTHING
RETURNING id

-- update --
UPDATE schedules
SET cron = %(cron)s, timezone = %(timezone)s, description = %(description)s, enabled = %(enabled)s,
    event_type = %(event_type)s, event_data = %(event_data)s::json, event_subject = %(event_subject)s,
    job_kind = %(job_kind)s, job_queue = %(job_queue)s, job_payload = %(job_payload)s::jsonb,
    counted_from = %(counted_from)s, next_tick_at = %(next_tick_at)s, updated_at = now()
WHERE id = %(id)s

-- delete --
DELETE FROM schedules WHERE id = %(id)s

-- known --
-- The named rows, and up to `limit` schedules of users after the name `after`, in order of name. Each has the outcome
-- of its last run.
SELECT s.name, s.id, s.cron, s.timezone, s.description, s.enabled, s.event_type, s.event_data::text AS event_data,
       s.event_subject, s.job_kind, s.job_payload, s.last_tick_at, s.last_late_seconds, s.last_job_id, s.last_event_id,
       s.last_error, s.created_at, s.updated_at,
       CASE WHEN s.last_error IS NOT NULL THEN 'failed'
            WHEN s.last_event_id IS NOT NULL THEN 'published'
            WHEN s.last_job_id IS NULL THEN NULL
            WHEN j.status IS NULL THEN 'done'
            WHEN j.status = 'pending' THEN 'waiting'
            ELSE j.status END AS last_outcome,
       CASE WHEN s.last_error IS NULL THEN j.last_error ELSE s.last_error END AS last_words
FROM schedules AS s LEFT JOIN {jobs} AS j ON j.id = s.last_job_id
WHERE s.name = ANY (%(names)s)
   OR s.name IN (
     SELECT name FROM schedules
     WHERE id IS NOT NULL AND (%(after)s::text IS NULL OR name COLLATE "C" > %(after)s)
     ORDER BY name COLLATE "C" LIMIT %(limit)s
   )

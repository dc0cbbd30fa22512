-- look --
-- The version of what users made, and whose tick nobody has taken for `grace_seconds`, or is said to have been taken
-- long from now; of schedules that features declare, only those that this process knows.
SELECT changes.version, coalesce(overdue.names, '{}')
FROM (SELECT version FROM schedule_changes) AS changes
CROSS JOIN (
  SELECT array_agg(name ORDER BY next_tick_at) AS names FROM schedules
  WHERE (next_tick_at <= now() - make_interval(secs => %(grace_seconds)s)
         OR (next_tick_at IS NOT NULL AND greatest(last_tick_at, counted_from) > now() + interval '1 hour'))
    AND (id IS NOT NULL OR name = ANY (%(declared)s))
) AS overdue

-- expected --
SELECT name, next_tick_at FROM schedules
WHERE next_tick_at IS NOT NULL AND (id IS NOT NULL OR name = ANY (%(declared)s))

-- register --
-- A declared schedule seen for the first time counts from here: its past ticks are not missed ones.
INSERT INTO schedules (name, cron, timezone, enabled, counted_from)
VALUES (%(name)s, %(cron)s, %(timezone)s, %(enabled)s, now())
ON CONFLICT (name) DO NOTHING

-- lock --
-- One schedule, for whoever runs or changes it, and the time by which all are judged: the database's. When that was
-- set back a little, no tick runs twice; when by more than an hour, it was wrong before, and what it did is not believed.
SELECT name, id, cron, timezone, description, enabled, event_type, event_data::text AS event_data, event_subject,
       job_kind, job_queue, job_payload, now() AS now,
       CASE WHEN greatest(last_tick_at, counted_from) > now() + interval '1 hour' THEN now()
            ELSE greatest(last_tick_at, counted_from) END AS since
FROM schedules WHERE name = %(name)s
FOR UPDATE

-- settle --
-- A declared schedule as this process counts it. One that is counted otherwise than before, or was switched off, counts
-- from here.
UPDATE schedules
SET cron = %(cron)s, timezone = %(timezone)s, enabled = %(enabled)s, counted_from = %(counted_from)s,
    next_tick_at = %(next_tick_at)s
WHERE name = %(name)s

-- expect --
-- What a wrong clock wrote is put right, or the schedule would wait for that time.
UPDATE schedules
SET next_tick_at = %(next_tick_at)s,
    last_tick_at = CASE WHEN last_tick_at > now() + interval '1 hour' THEN now() ELSE last_tick_at END,
    counted_from = CASE WHEN counted_from > now() + interval '1 hour' THEN now() ELSE counted_from END
WHERE name = %(name)s

-- advance --
UPDATE schedules
SET last_tick_at = %(tick)s, last_late_seconds = %(late_seconds)s, next_tick_at = %(next_tick_at)s,
    last_job_id = %(job_id)s, last_event_id = %(event_id)s, last_error = %(error)s
WHERE name = %(name)s

-- remember --
-- What a run beside the ticks caused.
INSERT INTO schedules (name, last_job_id, last_event_id) VALUES (%(name)s, %(job_id)s, %(event_id)s)
ON CONFLICT (name) DO UPDATE
SET last_job_id = excluded.last_job_id, last_event_id = excluded.last_event_id, last_error = NULL

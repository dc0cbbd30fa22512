-- states --
-- What is known of the named schedules, and the time by which all of them are judged: the database's.
SELECT known.name, schedules.last_tick_at, schedules.last_job_id, now() AS now
FROM unnest(%(names)s::text[]) AS known (name) LEFT JOIN schedules USING (name)

-- register --
-- A schedule seen for the first time counts from here: its past ticks are not missed ones.
INSERT INTO schedules (name, last_tick_at) VALUES (%(name)s, %(tick)s)
ON CONFLICT (name) DO UPDATE SET last_tick_at = excluded.last_tick_at, updated_at = now()
  WHERE schedules.last_tick_at IS NULL

-- advance --
-- Takes a tick, if it is later than the last one taken. Whoever gets a row back (how late it is) runs it.
-- A tick well in the future comes from a wrong clock, and would keep all true ones from being taken.
INSERT INTO schedules (name, last_tick_at)
SELECT %(name)s, %(tick)s::timestamptz
WHERE %(tick)s::timestamptz <= now() + make_interval(secs => %(tolerance_seconds)s)
ON CONFLICT (name) DO UPDATE SET last_tick_at = excluded.last_tick_at, updated_at = now()
  WHERE schedules.last_tick_at IS NULL OR schedules.last_tick_at < excluded.last_tick_at
RETURNING extract(epoch FROM now() - last_tick_at)::float8

-- remember_job --
INSERT INTO schedules (name, last_job_id) VALUES (%(name)s, %(job_id)s)
ON CONFLICT (name) DO UPDATE SET last_job_id = excluded.last_job_id, updated_at = now()

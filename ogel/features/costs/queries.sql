-- put --
-- One row for each project and period: the last reading of it.
INSERT INTO cost_readings AS c (
  project, period_start, period_end, read_at, tried_at, trouble, spent, forecast, reading
) VALUES (
  %(project)s, %(period_start)s, %(period_end)s, %(read_at)s, %(read_at)s, NULL, %(spent)s, %(forecast)s, %(reading)s
)
ON CONFLICT (project, period_start) DO UPDATE SET period_end = excluded.period_end, read_at = excluded.read_at,
  tried_at = excluded.tried_at, trouble = NULL, spent = excluded.spent, forecast = excluded.forecast,
  reading = excluded.reading
WHERE c.read_at IS NULL OR c.read_at <= excluded.read_at

-- trouble --
-- The reading before stays; where there is none, the row says why.
INSERT INTO cost_readings (project, period_start, period_end, tried_at, trouble)
VALUES (%(project)s, %(period_start)s, %(period_end)s, %(tried_at)s, %(trouble)s)
ON CONFLICT (project, period_start) DO UPDATE SET tried_at = excluded.tried_at, trouble = excluded.trouble

-- last --
SELECT tried_at, trouble, reading
FROM cost_readings WHERE project = %(project)s ORDER BY tried_at DESC LIMIT 1

-- numbers --
-- Without the reading itself: asked for every minute. Of the period that was asked for last, since with a token it may be
-- another one than without.
SELECT spent::float8 AS spent, forecast::float8 AS forecast, read_at, period_start, period_end
FROM cost_readings WHERE project = %(project)s ORDER BY tried_at DESC LIMIT 1

-- list_periods --
-- Newest first, of those that have been read.
SELECT period_start AS start, period_end AS "end", read_at, round(spent, 2) AS spent, reading->>'origin' AS origin,
       jsonb_array_length(reading->'missing') > 0 AS is_partial
FROM cost_readings
WHERE project = %(project)s AND read_at IS NOT NULL AND (%(after)s::timestamptz IS NULL OR period_start < %(after)s)
ORDER BY period_start DESC
LIMIT %(limit)s

-- count_old --
SELECT count(*) FROM (SELECT FROM cost_readings WHERE period_end < %(before)s LIMIT %(most)s) AS old

-- purge_old --
DELETE FROM cost_readings WHERE (project, period_start) IN (
  SELECT project, period_start FROM cost_readings WHERE period_end < %(before)s LIMIT %(limit)s
  FOR UPDATE SKIP LOCKED
)

-- unreachable --
-- Which of these databases the last check did not reach.
SELECT database_id FROM platform_database_health WHERE database_id = ANY (%(ids)s) AND state = 'unreachable'

-- versions --
SELECT id, version FROM platform_databases ORDER BY id

-- previous --
SELECT state, since FROM platform_database_health WHERE database_id = %(id)s FOR UPDATE

-- reached --
-- Updates nothing if the database was moved or removed since it was checked.
INSERT INTO platform_database_health AS h
  (database_id, state, since, checked_at, latency_seconds, server_version, size_bytes, stats, stats_error, measured_at)
SELECT id, 'reachable', now(), now(), %(latency_seconds)s, %(server_version)s, %(size_bytes)s, %(stats)s::json,
       %(stats_error)s, now()
FROM platform_databases WHERE id = %(id)s AND version = %(version)s
ON CONFLICT (database_id) DO UPDATE
SET state = 'reachable', since = CASE WHEN h.state = 'reachable' THEN h.since ELSE excluded.since END,
    checked_at = excluded.checked_at, error = NULL, failures = 0, latency_seconds = excluded.latency_seconds,
    server_version = excluded.server_version, size_bytes = excluded.size_bytes, stats = excluded.stats,
    stats_error = excluded.stats_error, measured_at = excluded.measured_at
RETURNING (SELECT name FROM platform_databases WHERE id = database_id), failures

-- not_reached --
-- Earlier statistics are kept, with the time at which they were measured.
INSERT INTO platform_database_health AS h (database_id, state, since, checked_at, error, failures)
SELECT id, 'unreachable', now(), now(), %(error)s, 1
FROM platform_databases WHERE id = %(id)s AND version = %(version)s
ON CONFLICT (database_id) DO UPDATE
SET state = 'unreachable', since = CASE WHEN h.state = 'unreachable' THEN h.since ELSE excluded.since END,
    checked_at = excluded.checked_at, error = excluded.error, failures = h.failures + 1, latency_seconds = NULL
RETURNING (SELECT name FROM platform_databases WHERE id = database_id), failures

-- stats --
SELECT d.id, d.type, h.measured_at, h.stats, h.stats_error
FROM platform_databases AS d LEFT JOIN platform_database_health AS h ON h.database_id = d.id
WHERE d.id = %(key)s OR d.name = %(key)s

-- gauges --
SELECT d.name, d.type, h.state, h.latency_seconds, h.size_bytes
FROM platform_databases AS d LEFT JOIN platform_database_health AS h ON h.database_id = d.id

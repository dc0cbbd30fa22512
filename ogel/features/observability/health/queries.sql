-- lock --
-- Each check is compared with the one before, so checks are serialised.
SELECT pg_advisory_xact_lock(hashtextextended('ogel health', 0))

-- last --
SELECT checked_at, status, checks FROM health_checks ORDER BY checked_at DESC LIMIT 1

-- insert --
INSERT INTO health_checks (status, checks) VALUES (%(status)s, %(checks)s::jsonb) ON CONFLICT (checked_at) DO NOTHING

-- list --
-- Newest first.
SELECT checked_at, status, checks FROM health_checks
WHERE checked_at > %(since)s AND (%(after)s::timestamptz IS NULL OR checked_at < %(after)s)
ORDER BY checked_at DESC
LIMIT %(limit)s

-- count_old --
-- The last check is kept, however old, because the next is compared with it.
SELECT count(*) FROM (
  SELECT FROM health_checks
  WHERE checked_at < least(%(before)s, (SELECT max(checked_at) FROM health_checks)) LIMIT %(most)s
) AS old

-- purge_old --
DELETE FROM health_checks WHERE checked_at IN (
  SELECT checked_at FROM health_checks
  WHERE checked_at < least(%(before)s, (SELECT max(checked_at) FROM health_checks)) ORDER BY checked_at LIMIT %(limit)s
  FOR UPDATE SKIP LOCKED
)

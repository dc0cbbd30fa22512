-- rules --
SELECT id, lifecycle FROM buckets WHERE lifecycle <> '[]'

-- count_over --
-- How many objects are over: those that have expired, and those that a rule ends.
SELECT count(*) FROM (
  SELECT FROM objects WHERE expires_at <= %(before)s
  UNION ALL
  SELECT FROM unnest(%(buckets)s::text[], %(prefixes)s::text[], %(until)s::timestamptz[]) AS r (bucket, prefix, until)
  CROSS JOIN LATERAL (
    SELECT FROM objects
    WHERE bucket_id = r.bucket AND created_at <= r.until AND updated_at <= r.until AND starts_with(name, r.prefix)
      AND (expires_at IS NULL OR expires_at > %(before)s)
  ) AS o
  LIMIT %(most)s
) AS over

-- delete_expired --
DELETE FROM objects WHERE id IN (
  SELECT id FROM objects WHERE expires_at <= %(before)s ORDER BY expires_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
RETURNING {object}

-- delete_aged --
-- Those that a rule ends. Who writes to one now keeps it.
DELETE FROM objects WHERE id IN (
  SELECT o.id
  FROM unnest(%(buckets)s::text[], %(prefixes)s::text[], %(until)s::timestamptz[]) AS r (bucket, prefix, until)
  CROSS JOIN LATERAL (
    SELECT id FROM objects
    WHERE bucket_id = r.bucket AND created_at <= r.until AND updated_at <= r.until AND starts_with(name, r.prefix)
    LIMIT %(limit)s FOR UPDATE SKIP LOCKED
  ) AS o
  LIMIT %(limit)s
)
RETURNING {object}

-- rules --
SELECT id, lifecycle FROM buckets WHERE lifecycle <> '[]'

-- count_expired --
SELECT count(*) FROM (SELECT FROM objects WHERE expires_at <= %(before)s LIMIT %(most)s) AS expired

-- count_aged --
-- Objects that a rule ends, of those that have not expired.
SELECT count(*) FROM (
  SELECT FROM objects
  WHERE bucket_id = %(bucket)s AND created_at <= %(until)s AND updated_at <= %(until)s AND starts_with(name, %(prefix)s)
    AND (expires_at IS NULL OR expires_at > %(before)s)
  LIMIT %(most)s
) AS aged

-- delete_expired --
DELETE FROM objects WHERE id IN (
  SELECT id FROM objects WHERE expires_at <= %(before)s ORDER BY expires_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
RETURNING {object}

-- delete_aged --
-- Those that a rule ends. Who writes to one now keeps it. One rule at a time, so that it is found by its prefix or by its
-- time, whichever few objects have.
DELETE FROM objects WHERE id IN (
  SELECT id FROM objects
  WHERE bucket_id = %(bucket)s AND created_at <= %(until)s AND updated_at <= %(until)s AND starts_with(name, %(prefix)s)
  LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
RETURNING {object}

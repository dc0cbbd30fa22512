-- get --
SELECT max_bytes, used_bytes, reserved_bytes FROM storage_quotas WHERE subject = %(subject)s

-- of_buckets --
SELECT subject, max_bytes, used_bytes, reserved_bytes FROM storage_quotas WHERE subject = ANY (%(subjects)s)

-- change --
-- Another limit for what is counted already.
UPDATE storage_quotas SET max_bytes = %(max_bytes)s WHERE subject = %(subject)s

-- be_impatient --
-- Others queue behind whoever waits for the lock that follows.
SET LOCAL lock_timeout = '3s'

-- hold_still --
-- Waits for all who have written blobs, and lets no other write any before the end of the transaction: what is counted
-- then is all there is, and whoever writes later finds the quota.
LOCK TABLE storage_blobs IN SHARE ROW EXCLUSIVE MODE

-- begin --
-- Begins to count, from what there is, which indexes find: everybody else waits.
INSERT INTO storage_quotas (subject, max_bytes, used_bytes, reserved_bytes)
SELECT %(subject)s, %(max_bytes)s, coalesce(sum(size) FILTER (WHERE state = 'live'), 0),
  coalesce(sum(size) FILTER (WHERE state = 'pending'), 0)
FROM (
  SELECT state, size FROM storage_blobs WHERE bucket_id = %(bucket)s AND state = 'live'
  UNION ALL
  SELECT state, size FROM storage_blobs WHERE bucket_id = %(bucket)s AND state = 'pending'
  UNION ALL
  SELECT state, size FROM storage_blobs WHERE owner_id = %(owner)s AND state <> 'deleting'
) AS counted
ON CONFLICT (subject) DO UPDATE SET max_bytes = excluded.max_bytes

-- end --
DELETE FROM storage_quotas WHERE subject = %(subject)s

-- settle_users --
-- What the setting says now holds for all users; null: they have no quota any more.
WITH ended AS (
  DELETE FROM storage_quotas WHERE %(max_bytes)s::bigint IS NULL AND starts_with(subject, 'user:')
)
UPDATE storage_quotas SET max_bytes = %(max_bytes)s
WHERE max_bytes <> %(max_bytes)s AND starts_with(subject, 'user:')

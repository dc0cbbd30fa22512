-- buckets --
-- What is in each bucket, the fullest first; its quota where it has one.
SELECT b.id AS bucket, coalesce(o.objects, 0) AS objects, coalesce(s.bytes, 0)::bigint AS bytes, q.max_bytes
FROM buckets AS b
LEFT JOIN (SELECT bucket_id, count(*) AS objects FROM objects GROUP BY bucket_id) AS o ON o.bucket_id = b.id
LEFT JOIN (
  SELECT bucket_id, sum(size) AS bytes FROM storage_blobs WHERE state = 'live' GROUP BY bucket_id
) AS s ON s.bucket_id = b.id
LEFT JOIN storage_quotas AS q ON q.subject = 'bucket:' || b.id
ORDER BY bytes DESC, bucket

-- passing --
-- Blobs that are no object's: being written, and waiting to be deleted; since how many seconds the reaper is late. Those
-- that were announced in advance have no bucket yet.
SELECT count(*) FILTER (WHERE state = 'pending' AND bucket_id IS NOT NULL) AS pending,
       coalesce(sum(size) FILTER (WHERE state = 'pending'), 0)::bigint AS pending_bytes,
       count(*) FILTER (WHERE state = 'deleting') AS deleting,
       coalesce(sum(size) FILTER (WHERE state = 'deleting'), 0)::bigint AS deleting_bytes,
       greatest(0, extract(epoch FROM now() - min(until)))::float8 AS late_seconds
FROM storage_blobs WHERE state <> 'live'

-- some --
-- Keys that should be in the store.
SELECT key FROM storage_blobs WHERE state = 'live' LIMIT 5

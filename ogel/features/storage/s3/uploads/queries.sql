-- begin --
INSERT INTO storage_uploads (id, protocol, bucket_id, name, owner_id, role, version, facts, expires_at)
VALUES (
  %(id)s, 's3', %(bucket)s, %(name)s, %(owner)s, %(role)s, %(version)s, %(facts)s::jsonb, now() + %(seconds)s * interval '1 second'
)

-- count --
-- How many somebody has begun and not ended, at most so many.
SELECT count(*) FROM (
  SELECT FROM storage_uploads WHERE owner_id = %(owner)s AND finished_at IS NULL AND protocol = 's3' LIMIT %(most)s
) AS begun

-- find --
-- Of whoever began it, or for operators of anybody.
SELECT id, bucket_id, name, version, facts, created_at, expires_at FROM storage_uploads
WHERE id = %(id)s AND protocol = 's3' AND bucket_id = %(bucket)s AND name = %(name)s AND expires_at > now()
  AND (%(any)s OR owner_id = %(owner)s)

-- find_locked --
-- As `find`; nobody adds a part to it, or ends it, before the end of the transaction.
SELECT id, bucket_id, name, version, facts, created_at, expires_at FROM storage_uploads
WHERE id = %(id)s AND protocol = 's3' AND bucket_id = %(bucket)s AND name = %(name)s AND expires_at > now()
  AND (%(any)s OR owner_id = %(owner)s)
FOR UPDATE

-- end --
-- What has come of it and is no object's goes with it, by a trigger.
DELETE FROM storage_uploads WHERE id = %(id)s

-- page --
-- By names, those of one name by when they began.
SELECT id, name, created_at FROM storage_uploads
WHERE protocol = 's3' AND bucket_id = %(bucket)s AND expires_at > now() AND (%(any)s OR owner_id = %(owner)s)
  AND starts_with(name, %(prefix)s) AND name >= %(prefix)s
  AND (name > %(after)s OR (name = %(after)s AND id > %(after_id)s::uuid))
ORDER BY name, id LIMIT %(limit)s

-- parts --
-- By their numbers.
SELECT position AS number, size, md5, created_at AS stored_at FROM storage_blobs
WHERE version = %(version)s AND state = 'pending' AND md5 IS NOT NULL AND position > %(after)s
ORDER BY position LIMIT %(limit)s

-- others --
-- What the upload has besides a part: the keys of that number's former ones, and the bytes of all the others.
SELECT coalesce(array_agg(key) FILTER (WHERE position = %(number)s), '{}'),
  coalesce(sum(size) FILTER (WHERE position <> %(number)s), 0)::bigint
FROM storage_blobs WHERE version = %(version)s AND state = 'pending' AND md5 IS NOT NULL

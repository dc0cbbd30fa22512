-- begin --
-- Announces a blob before it is written.
INSERT INTO storage_blobs (key, until, bucket_id, owner_id, size, version, position, sealed_key)
VALUES (%(key)s, now() + %(seconds)s * interval '1 second', %(bucket)s, %(owner)s, %(size)s, %(version)s, %(position)s, %(sealed_key)s)

-- keep --
-- Makes a written blob part of an object; none that was given up.
UPDATE storage_blobs SET state = 'live', version = %(version)s, position = %(position)s, size = %(size)s, md5 = %(md5)s,
  bucket_id = %(bucket)s, owner_id = %(owner)s
WHERE key = %(key)s AND state = 'pending'

-- hold --
-- A written blob is a part of an upload, for as long as that may go on.
UPDATE storage_blobs SET version = %(version)s, position = %(position)s, size = %(size)s, md5 = %(md5)s, until = %(until)s
WHERE key = %(key)s AND state = 'pending'

-- held --
-- What has come of uploads, the parts of each in their order.
SELECT key, size, md5, sealed_key, position FROM storage_blobs
WHERE version = ANY (%(versions)s) AND state = 'pending' AND md5 IS NOT NULL
ORDER BY array_position(%(versions)s, version), position

-- last_held --
SELECT key, size, md5, sealed_key, position FROM storage_blobs
WHERE version = %(version)s AND state = 'pending' AND md5 IS NOT NULL
ORDER BY position DESC LIMIT 1

-- keep_held --
-- Makes parts an object's, in this order.
UPDATE storage_blobs AS b SET state = 'live', version = %(version)s, position = part.number - 1,
  bucket_id = %(bucket)s, owner_id = %(owner)s
FROM unnest(%(keys)s::text[]) WITH ORDINALITY AS part (key, number)
WHERE b.key = part.key AND b.state = 'pending' AND b.md5 IS NOT NULL

-- drop_held --
-- What came of an upload, and is not part of the object.
UPDATE storage_blobs SET state = 'deleting', until = now(), version = NULL WHERE version = %(version)s AND state = 'pending'

-- unreserve --
UPDATE storage_blobs SET size = 0 WHERE key = %(key)s AND state = 'pending'

-- give_up --
-- What was announced and is not wanted; the reaper deletes what of it was written.
UPDATE storage_blobs SET state = 'deleting', until = now(), version = NULL WHERE key = ANY (%(keys)s) AND state = 'pending'

-- of_version --
-- The bytes of an object, in their order.
SELECT key, size, md5, sealed_key FROM storage_blobs WHERE version = %(version)s AND state <> 'pending' ORDER BY position

-- renew --
-- Lets whoever writes a blob go on.
UPDATE storage_blobs SET until = now() + %(seconds)s * interval '1 second' WHERE key = %(key)s AND state = 'pending'

-- claim_due --
-- Blobs that nobody wants any more: from now on none of them can be kept. Should they not be deleted, they are due again.
WITH due AS (
  SELECT key, md5 FROM storage_blobs WHERE state <> 'live' AND until < now()
  ORDER BY until LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
UPDATE storage_blobs AS b SET state = 'deleting', until = now() + interval '5 minutes' FROM due WHERE b.key = due.key
RETURNING b.key, due.md5 IS NULL AS was_never_kept

-- forget --
-- Rows of blobs that are no longer in the store; those that may arrive there still are deleted once more, as if they were kept.
WITH waiting AS (
  UPDATE storage_blobs SET md5 = '', until = now() + interval '1 hour' WHERE key = ANY (%(never_kept)s) AND state = 'deleting'
)
DELETE FROM storage_blobs WHERE key = ANY (%(gone)s) AND state = 'deleting'

-- announce --
-- Blobs before anything is known of them.
INSERT INTO storage_blobs (key, until) SELECT unnest(%(keys)s::text[]), now() + %(seconds)s * interval '1 second'

-- page --
-- All blobs in the order of their keys, with the objects they belong to.
SELECT b.key, b.state, b.size, b.md5, b.sealed_key, o.bucket_id AS bucket, o.name
FROM (SELECT * FROM storage_blobs WHERE key > %(after)s ORDER BY key LIMIT %(limit)s) AS b
LEFT JOIN LATERAL (SELECT bucket_id, name FROM objects WHERE version = b.version LIMIT 1) AS o ON b.state = 'live'
ORDER BY b.key

-- some --
SELECT b.key, b.state, b.size, b.md5, b.sealed_key, o.bucket_id AS bucket, o.name
FROM storage_blobs AS b
LEFT JOIN LATERAL (SELECT bucket_id, name FROM objects WHERE version = b.version LIMIT 1) AS o ON b.state = 'live'
WHERE b.key = ANY (%(keys)s)

-- take_time --
-- What looks at all rows may take longer than what answers requests.
SET LOCAL statement_timeout = '10min'

-- unowned --
-- Blobs that are kept, though no object has their version; the first of them.
SELECT key FROM storage_blobs AS b
WHERE state = 'live' AND NOT EXISTS (SELECT FROM objects AS o WHERE o.version IN (b.version, b.rendition_of))
LIMIT 1000

-- let_unowned_go --
UPDATE storage_blobs AS b SET state = 'deleting', until = now() + interval '10 minutes'
WHERE state = 'live' AND NOT EXISTS (SELECT FROM objects AS o WHERE o.version IN (b.version, b.rendition_of))
RETURNING key

-- incomplete --
-- Objects that do not have as many bytes as they say; the first of them.
SELECT o.id::text, o.bucket_id, o.name
FROM objects AS o
LEFT JOIN (SELECT version, sum(size) AS size FROM storage_blobs WHERE state = 'live' GROUP BY version) AS b USING (version)
WHERE coalesce(b.size, 0) <> CASE jsonb_typeof(o.metadata -> 'size') WHEN 'number' THEN (o.metadata ->> 'size')::numeric ELSE 0 END
LIMIT 1000

-- wrong_quotas --
-- Those that do not count what there is.
WITH counted AS (
  SELECT subject, coalesce(sum(size) FILTER (WHERE state = 'live'), 0) AS used,
    coalesce(sum(size) FILTER (WHERE state = 'pending'), 0) AS reserved
  FROM storage_blobs, unnest(ARRAY['bucket:' || bucket_id, 'user:' || owner_id]) AS subject
  WHERE state <> 'deleting'
  GROUP BY subject
)
SELECT subject FROM storage_quotas LEFT JOIN counted USING (subject)
WHERE used_bytes <> coalesce(used, 0) OR reserved_bytes <> coalesce(reserved, 0)

-- hold_still --
-- Nobody writes a blob until the transaction ends, and whoever did is waited for.
LOCK TABLE storage_blobs IN SHARE ROW EXCLUSIVE MODE

-- count_quotas --
WITH counted AS (
  SELECT subject, coalesce(sum(size) FILTER (WHERE state = 'live'), 0) AS used,
    coalesce(sum(size) FILTER (WHERE state = 'pending'), 0) AS reserved
  FROM storage_blobs, unnest(ARRAY['bucket:' || bucket_id, 'user:' || owner_id]) AS subject
  WHERE state <> 'deleting'
  GROUP BY subject
)
UPDATE storage_quotas AS q SET used_bytes = coalesce(used, 0), reserved_bytes = coalesce(reserved, 0)
FROM storage_quotas AS former LEFT JOIN counted USING (subject)
WHERE former.subject = q.subject AND (q.used_bytes <> coalesce(used, 0) OR q.reserved_bytes <> coalesce(reserved, 0))
RETURNING q.subject

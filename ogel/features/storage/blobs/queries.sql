-- begin --
-- Announces a blob before it is written.
INSERT INTO storage_blobs (key, until, bucket_id, owner_id, size, version, position, sealed_key)
VALUES (%(key)s, now() + %(seconds)s * interval '1 second', %(bucket)s, %(owner)s, %(size)s, %(version)s, %(position)s, %(sealed_key)s)

-- keep --
-- Makes a written blob part of an object; none that was given up.
UPDATE storage_blobs SET state = 'live', version = %(version)s, position = %(position)s, size = %(size)s, md5 = %(md5)s,
  bucket_id = %(bucket)s, owner_id = %(owner)s
WHERE key = %(key)s AND state = 'pending'

-- give_up --
-- What was announced and is not wanted; the reaper deletes what of it was written.
UPDATE storage_blobs SET state = 'deleting', until = now() WHERE key = ANY (%(keys)s) AND state = 'pending'

-- of_version --
-- The bytes of an object, in their order.
SELECT key, size, md5, sealed_key FROM storage_blobs WHERE version = %(version)s AND state <> 'pending' ORDER BY position

-- due --
-- Blobs that nobody wants any more, locked.
SELECT key FROM storage_blobs WHERE state <> 'live' AND until < now() ORDER BY until LIMIT %(limit)s FOR UPDATE SKIP LOCKED

-- forget --
-- Rows of blobs that are no longer in the store.
DELETE FROM storage_blobs WHERE key = ANY (%(keys)s) AND state <> 'live'

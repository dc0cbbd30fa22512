-- create --
INSERT INTO storage_uploads (id, protocol, bucket_id, name, owner_id, role, version, length, received, upsert, facts, concat, expires_at)
VALUES (
  %(id)s, 'tus', %(bucket)s, %(name)s, %(owner)s, %(role)s, %(version)s, %(length)s, %(received)s, %(upsert)s, %(facts)s::jsonb,
  %(concat)s, now() + %(seconds)s * interval '1 second'
)
RETURNING {upload}

-- get --
-- With whether a request writes to it, and whether there is no longer what it became.
SELECT coalesce(lock_until > now(), false),
  finished_at IS NOT NULL AND NOT EXISTS (SELECT FROM objects AS o WHERE o.version = storage_uploads.version), {upload}
FROM storage_uploads WHERE id = %(id)s AND protocol = 'tus'

-- open --
-- How many uploads of a user go on, and how many bytes are on their way that belong to no bucket.
SELECT count(*), coalesce(sum(greatest(length, received)) FILTER (WHERE bucket_id IS NULL), 0)::bigint
FROM storage_uploads WHERE owner_id = %(owner)s AND finished_at IS NULL AND expires_at > now()

-- lock --
-- Nobody else writes from now on: not whoever had the lock before either.
UPDATE storage_uploads
SET lock_token = %(token)s, lock_until = now() + %(seconds)s * interval '1 second', release_asked = false
WHERE id = %(id)s AND protocol = 'tus' AND (lock_token IS NULL OR lock_until < now() OR %(force)s)
RETURNING {upload}

-- ask_release --
UPDATE storage_uploads SET release_asked = true WHERE id = %(id)s AND protocol = 'tus'

-- renew --
-- Whether somebody else waits for the lock; no row: it has been taken away.
UPDATE storage_uploads SET lock_until = now() + %(seconds)s * interval '1 second' WHERE id = %(id)s AND lock_token = %(token)s
RETURNING release_asked

-- look --
-- As renew, without writing.
SELECT release_asked FROM storage_uploads WHERE id = %(id)s AND lock_token = %(token)s

-- unlock --
UPDATE storage_uploads SET lock_token = NULL, lock_until = NULL, release_asked = false WHERE id = %(id)s AND lock_token = %(token)s

-- advance --
UPDATE storage_uploads SET received = %(received)s WHERE id = %(id)s AND lock_token = %(token)s AND received = %(offset)s

-- set_length --
UPDATE storage_uploads SET length = %(length)s WHERE id = %(id)s AND lock_token = %(token)s AND length IS NULL

-- finish --
UPDATE storage_uploads SET finished_at = now() WHERE id = %(id)s

-- final --
-- What was put together of these parts before, by who asks again since no answer came.
SELECT {upload} FROM storage_uploads AS u
WHERE bucket_id = %(bucket)s AND name = %(name)s AND protocol = 'tus' AND concat = 'final'
  AND owner_id IS NOT DISTINCT FROM %(owner)s AND role IS NOT DISTINCT FROM %(role)s
  AND facts ->> 'concat' = %(concat)s AND EXISTS (SELECT FROM objects AS o WHERE o.version = u.version)
LIMIT 1

-- lock_parts --
-- Parts that are to be put together, which nobody else can use or write to before the end of the transaction.
SELECT {upload} FROM storage_uploads WHERE id = ANY (%(ids)s) AND protocol = 'tus' ORDER BY id FOR UPDATE

-- delete --
DELETE FROM storage_uploads WHERE id = ANY (%(ids)s) AND protocol = 'tus' AND finished_at IS NULL

-- count_expired --
SELECT count(*) FROM (SELECT FROM storage_uploads WHERE expires_at < %(before)s LIMIT %(most)s) AS found

-- purge_expired --
DELETE FROM storage_uploads WHERE ctid = ANY (ARRAY(
  SELECT ctid FROM storage_uploads WHERE expires_at < %(before)s ORDER BY expires_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
))

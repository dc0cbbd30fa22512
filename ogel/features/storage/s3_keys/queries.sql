-- insert --
INSERT INTO s3_keys (id, name, secret, buckets, read_only, made_by)
VALUES (%(id)s, %(name)s, %(secret)s, %(buckets)s, %(read_only)s, %(made_by)s)
RETURNING {key}

-- page --
-- Newest first.
SELECT {key} FROM s3_keys
WHERE %(after)s::text IS NULL OR (created_at, id) < (SELECT created_at, id FROM s3_keys WHERE id = %(after)s)
ORDER BY created_at DESC, id DESC LIMIT %(limit)s

-- get --
SELECT {key} FROM s3_keys WHERE id = %(id)s

-- find --
-- What a signature is checked against, of a key that is good; and whether its use is worth noting.
SELECT secret, buckets, read_only, coalesce(last_used_at < now() - interval '1 hour', true)
FROM s3_keys WHERE id = %(id)s AND revoked_at IS NULL

-- note_use --
UPDATE s3_keys SET last_used_at = now()
WHERE id = %(id)s AND coalesce(last_used_at < now() - interval '1 hour', true)

-- revoke --
UPDATE s3_keys SET revoked_at = now() WHERE id = %(id)s AND revoked_at IS NULL
RETURNING {key}

-- count_ended --
SELECT count(*) FROM (SELECT FROM s3_keys WHERE revoked_at < %(before)s LIMIT %(most)s) AS old

-- purge_ended --
DELETE FROM s3_keys WHERE id IN (
  SELECT id FROM s3_keys WHERE revoked_at < %(before)s LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)

-- create --
-- Makes a bucket, unless there is one of that id or name.
INSERT INTO buckets (
  id, name, owner, owner_id, public, file_size_limit, allowed_mime_types, type, permissions, lifecycle, scanned, encrypted, redirects
)
VALUES (
  %(id)s, %(name)s, %(owner)s::text::uuid, %(owner)s::text, %(public)s, %(file_size_limit)s, %(allowed_mime_types)s, %(type)s,
  %(permissions)s::jsonb, %(lifecycle)s::jsonb, %(scanned)s, %(encrypted)s, %(redirects)s
)
ON CONFLICT DO NOTHING
RETURNING {bucket}

-- get --
SELECT {bucket} FROM buckets WHERE id = %(id)s

-- get_locked --
-- The bucket, which nobody can change or delete before the end of the transaction.
SELECT {bucket} FROM buckets WHERE id = %(id)s FOR UPDATE

-- get_to_change --
-- The bucket, which nobody else can change before the end of the transaction; objects can still come into it.
SELECT {bucket} FROM buckets WHERE id = %(id)s FOR NO KEY UPDATE

-- update --
UPDATE buckets SET public = %(public)s, file_size_limit = %(file_size_limit)s, allowed_mime_types = %(allowed_mime_types)s,
  permissions = %(permissions)s::jsonb, lifecycle = %(lifecycle)s::jsonb, scanned = %(scanned)s, encrypted = %(encrypted)s,
  redirects = %(redirects)s, updated_at = now()
WHERE id = %(id)s
RETURNING {bucket}

-- list --
-- Buckets with a text in their names, in upper or lower case, a page of them.
SELECT {bucket} FROM buckets
WHERE strpos(lower(name), lower(%(search)s)) > 0 AND (%(after)s::text IS NULL OR id COLLATE "C" > %(after)s)
ORDER BY
  CASE %(column)s WHEN 'created_at' THEN created_at WHEN 'updated_at' THEN updated_at END {order},
  CASE %(column)s WHEN 'name' THEN name ELSE id END COLLATE "C" {order}
OFFSET %(offset)s LIMIT %(limit)s

-- is_empty --
SELECT NOT EXISTS (SELECT FROM objects WHERE bucket_id = %(id)s)

-- delete --
DELETE FROM buckets WHERE id = %(id)s

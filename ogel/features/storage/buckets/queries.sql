-- create --
-- Makes a bucket, unless there is one of that name.
INSERT INTO buckets (id, name, owner, owner_id, public, file_size_limit, allowed_mime_types, type)
VALUES (%(id)s, %(id)s, %(owner)s::uuid, %(owner_id)s, %(public)s, %(file_size_limit)s, %(allowed_mime_types)s, %(type)s)
ON CONFLICT DO NOTHING
RETURNING {bucket}

-- get --
SELECT {bucket} FROM buckets WHERE id = %(id)s

-- get_locked --
-- The bucket, which nobody can change or delete before the end of the transaction.
SELECT {bucket} FROM buckets WHERE id = %(id)s FOR UPDATE

-- is_empty --
SELECT NOT EXISTS (SELECT FROM objects WHERE bucket_id = %(id)s)

-- delete --
DELETE FROM buckets WHERE id = %(id)s

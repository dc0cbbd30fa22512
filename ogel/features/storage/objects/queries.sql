-- get --
SELECT {object} FROM objects WHERE bucket_id = %(bucket)s AND name = %(name)s

-- get_public --
-- An object of a public bucket.
SELECT {object} FROM objects AS o
WHERE bucket_id = %(bucket)s AND name = %(name)s AND EXISTS (SELECT FROM buckets WHERE id = %(bucket)s AND public)

-- insert --
-- A new object. It fails where there is one of that name.
INSERT INTO objects (bucket_id, name, owner, owner_id, metadata, user_metadata, version, sha256, expires_at, scan_state)
VALUES (
  %(bucket)s, %(name)s, %(owner)s::text::uuid, %(owner)s::text, %(metadata)s::jsonb, %(user_metadata)s::jsonb, %(version)s, %(sha256)s,
  %(expires_at)s, %(scan_state)s
)
RETURNING {object}

-- replace --
-- The same object with other content.
UPDATE objects SET owner = %(owner)s::text::uuid, owner_id = %(owner)s::text, metadata = %(metadata)s::jsonb,
  user_metadata = %(user_metadata)s::jsonb, version = %(version)s, sha256 = %(sha256)s, expires_at = %(expires_at)s,
  scan_state = %(scan_state)s, updated_at = now(), last_accessed_at = now()
WHERE bucket_id = %(bucket)s AND name = %(name)s
RETURNING {object}

-- lock_name --
-- Lets one at a time write to a name.
SELECT pg_advisory_xact_lock(hashtextextended(%(bucket)s || '/' || %(name)s, 7046029254386353131))

-- delete --
DELETE FROM objects WHERE bucket_id = %(bucket)s AND name = ANY (%(names)s)
RETURNING {object}

-- create --
INSERT INTO storage_uploads (id, protocol, bucket_id, name, owner_id, role, version, length, upsert, facts, expires_at)
VALUES (
  %(id)s, 'direct', %(bucket)s, %(name)s, %(owner)s, %(role)s, %(version)s, %(length)s, %(upsert)s, %(facts)s::jsonb, %(until)s
)

-- open --
SELECT count(*) FROM storage_uploads
WHERE owner_id = %(owner)s AND protocol = 'direct' AND finished_at IS NULL AND expires_at > now()

-- get --
SELECT {upload} FROM storage_uploads WHERE id = %(id)s AND protocol = 'direct' AND expires_at > now()

-- lock --
-- To be confirmed by one at a time.
SELECT {upload} FROM storage_uploads WHERE id = %(id)s AND protocol = 'direct' AND expires_at > now() FOR UPDATE

-- finish --
UPDATE storage_uploads SET finished_at = now(), received = length WHERE id = %(id)s

-- find --
-- What was made of a picture before.
SELECT key, size, md5, sealed_key, split_part(rendition, ';', 2) AS media_type FROM storage_blobs
WHERE rendition_of = %(version)s AND state = 'live' AND split_part(rendition, ';', 1) = %(rendition)s

-- keep --
-- Makes a written blob a rendition, while the picture is there: who deletes that one waits, and deletes this with it. It
-- counts for nobody's quota, as it can be made again.
WITH picture AS (SELECT FROM objects WHERE version = %(version)s LIMIT 1 FOR SHARE)
UPDATE storage_blobs SET state = 'live', size = %(size)s, md5 = %(md5)s, rendition_of = %(version)s,
  rendition = %(rendition)s || ';' || %(media_type)s, bucket_id = NULL, owner_id = NULL
WHERE key = %(key)s AND state = 'pending' AND EXISTS (SELECT FROM picture)

-- crowd_out --
-- Lets the oldest go, so that asking for every size there is fills no disk.
UPDATE storage_blobs SET state = 'deleting', until = now() + interval '10 minutes'
WHERE key IN (
  SELECT key FROM storage_blobs WHERE rendition_of = %(version)s AND state = 'live'
  ORDER BY created_at DESC OFFSET %(most)s
)

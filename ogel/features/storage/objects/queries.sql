-- get --
SELECT {object} FROM objects WHERE bucket_id = %(bucket)s AND name = %(name)s

-- get_public --
-- An object of a public bucket.
SELECT {object} FROM objects AS o
WHERE bucket_id = %(bucket)s AND name = %(name)s AND EXISTS (SELECT FROM buckets WHERE id = %(bucket)s AND public)

-- is_public --
SELECT public FROM buckets WHERE id = %(bucket)s

-- insert --
-- A new object. It fails where there is one of that name.
{written}
RETURNING {object}

-- insert_unseen --
-- The same for who may write and not read.
{written}

-- upsert --
-- A new object, or the same with other content.
{written}
ON CONFLICT (bucket_id, name) DO UPDATE SET owner = excluded.owner, owner_id = excluded.owner_id, metadata = excluded.metadata,
  user_metadata = excluded.user_metadata, version = excluded.version, sha256 = excluded.sha256,
  expires_at = excluded.expires_at, scan_state = excluded.scan_state, updated_at = now(), last_accessed_at = now()
RETURNING {object}, xmax = 0 AS is_new

-- delete_expired --
-- What is of that name, and no longer to be.
DELETE FROM objects WHERE bucket_id = %(bucket)s AND name = %(name)s AND expires_at <= now()
RETURNING {object}

-- delete --
DELETE FROM objects WHERE bucket_id = %(bucket)s AND name = ANY (%(names)s)
RETURNING {object}

-- get_locked --
-- The object, which nobody can change or delete before the end of the transaction.
SELECT {object} FROM objects WHERE bucket_id = %(bucket)s AND name = %(name)s FOR UPDATE

-- move --
-- The same object under another name. What is to be scanned where it goes is read once it is.
UPDATE objects SET bucket_id = %(to_bucket)s, name = %(to_name)s, updated_at = now(),
  scan_state = CASE WHEN %(scanned)s AND scan_state = 'none' THEN 'pending' ELSE scan_state END
WHERE bucket_id = %(bucket)s AND name = %(name)s
RETURNING {object}

-- delete_some --
-- Of a bucket's objects that were there at a time.
DELETE FROM objects WHERE id IN (
  SELECT id FROM objects WHERE bucket_id = %(bucket)s AND created_at <= %(until)s LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
RETURNING {object}

-- plain --
-- Objects in the order of their names, from one on.
SELECT name, false AS is_folder, id, metadata, created_at, updated_at, last_accessed_at FROM objects
WHERE bucket_id = %(bucket)s AND name {from} %(start)s AND name >= %(low)s AND name < %(high)s
ORDER BY name {order} LIMIT %(limit)s

-- grouped --
-- The same, but what has the delimiter after the prefix is one folder, which costs no more than one object: it is jumped
-- over. `past` is the text that sorts behind all that begin with the delimiter (descending: the delimiter itself); `step`
-- makes a name the next one there could be.
WITH RECURSIVE walk (number, start, name, is_folder, id, metadata, created_at, updated_at, last_accessed_at) AS (
  SELECT 0, %(start)s::text COLLATE "C", NULL::text COLLATE "C", false, NULL::uuid, NULL::jsonb, NULL::timestamptz,
    NULL::timestamptz, NULL::timestamptz
  UNION ALL
  SELECT number + 1,
    CASE WHEN at > 0 THEN left(o.name, at + %(before)s) || %(past)s ELSE o.name || %(step)s END,
    CASE WHEN at > 0 THEN left(o.name, at + %(before)s) || %(delimiter)s ELSE o.name END,
    at > 0, o.id, o.metadata, o.created_at, o.updated_at, o.last_accessed_at
  FROM walk
  CROSS JOIN LATERAL (
    SELECT *, strpos(substr(name, %(before)s + 2), %(delimiter)s) AS at FROM objects
    WHERE bucket_id = %(bucket)s AND name {from} walk.start AND name >= %(low)s AND name < %(high)s
    ORDER BY name {order} LIMIT 1
  ) AS o
  WHERE number < %(limit)s
)
SELECT name, is_folder, id, metadata, created_at, updated_at, last_accessed_at FROM walk WHERE number > 0 ORDER BY number

-- by_time --
-- Objects in the order of a time, and of their names where it is the same.
SELECT name, false AS is_folder, id, metadata, created_at, updated_at, last_accessed_at FROM objects
WHERE bucket_id = %(bucket)s AND name >= %(low)s AND name < %(high)s
  AND (%(time)s::timestamptz IS NULL OR ({column}, name) {beyond} (%(time)s::timestamptz, %(name)s::text))
ORDER BY {column} {order}, name {order} LIMIT %(limit)s

-- grouped_by_time --
-- The same with folders, each at the time of the object in it that comes first.
SELECT name, is_folder, id, metadata, created_at, updated_at, last_accessed_at FROM (
  SELECT DISTINCT ON (name, is_folder) name, at > 0 AS is_folder, id, metadata, created_at, updated_at, last_accessed_at
  FROM (
    SELECT CASE WHEN at > 0 THEN left(o.name, at + %(before)s) || %(delimiter)s ELSE o.name END AS name, at, id, metadata,
      created_at, updated_at, last_accessed_at
    FROM objects AS o, LATERAL (SELECT strpos(substr(o.name, %(before)s + 2), %(delimiter)s)) AS found (at)
    WHERE bucket_id = %(bucket)s AND o.name >= %(low)s AND o.name < %(high)s
  ) AS entries
  ORDER BY name, is_folder, {column} {order}
) AS firsts
WHERE %(time)s::timestamptz IS NULL OR ({column}, name) {beyond} (%(time)s::timestamptz, %(name)s::text)
ORDER BY {column} {order}, name {order} LIMIT %(limit)s

-- folder --
-- What is in a folder, regardless of case, a page of it. `before` characters of `folded` are the folder's, `shown` of the
-- name; see `grouped` for how folders are jumped over. Sorted by a time, folders come first.
WITH RECURSIVE walk (number, start, name, is_folder, id, metadata, created_at, updated_at, last_accessed_at) AS (
  SELECT 0, %(start)s::text COLLATE "C", NULL::text COLLATE "C", false, NULL::uuid, NULL::jsonb, NULL::timestamptz,
    NULL::timestamptz, NULL::timestamptz
  UNION ALL
  SELECT number + 1,
    CASE WHEN at > 0 THEN left(folded, %(before)s + 2 * at - 1) || %(past)s ELSE folded || %(step)s END,
    CASE WHEN at > 0 THEN left(o.name, %(shown)s + at - 1) ELSE o.name END,
    at > 0, o.id, o.metadata, o.created_at, o.updated_at, o.last_accessed_at
  FROM walk
  CROSS JOIN LATERAL (
    SELECT *, strpos(substr(name, %(shown)s + 1), '/') AS at FROM objects
    WHERE bucket_id = %(bucket)s AND folded {from} walk.start AND folded >= %(low)s AND folded < %(high)s
    ORDER BY folded {order} LIMIT 1
  ) AS o
  WHERE number < %(most)s
)
SELECT name, is_folder, id, metadata, created_at, updated_at, last_accessed_at FROM walk WHERE number > 0
ORDER BY
  CASE %(column)s WHEN 'name' THEN number END,
  is_folder DESC,
  CASE WHEN NOT is_folder THEN
    CASE %(column)s WHEN 'created_at' THEN created_at WHEN 'updated_at' THEN updated_at WHEN 'last_accessed_at' THEN last_accessed_at END
  END {order},
  name {order}
OFFSET %(offset)s LIMIT %(limit)s

-- written --
-- The piece `written`: objects, each with its blob; `replaced` is the version that was there when it was last seen.
SELECT * FROM json_to_recordset(%(written)s::json) AS given (
  bucket text, name text, id uuid, owner text, version text, metadata jsonb, user_metadata jsonb, sha256 text,
  expires_at timestamptz, scan_state text, replaced text, key text, size bigint, md5 text
)

-- objects_made --
INSERT INTO objects (id, bucket_id, name, owner, owner_id, metadata, user_metadata, version, sha256, expires_at, scan_state)
SELECT id, bucket, name, owner::uuid, owner, metadata, user_metadata, version, decode(sha256, 'hex'), expires_at, scan_state
FROM written WHERE replaced IS NULL ORDER BY bucket, name
ON CONFLICT DO NOTHING
RETURNING version

-- objects_changed --
UPDATE objects AS o SET owner = written.owner::uuid, owner_id = written.owner, metadata = written.metadata,
  user_metadata = written.user_metadata, version = written.version, sha256 = decode(written.sha256, 'hex'),
  expires_at = written.expires_at, scan_state = written.scan_state, updated_at = now(), last_accessed_at = now()
FROM written WHERE o.bucket_id = written.bucket AND o.name = written.name AND o.version = written.replaced
RETURNING o.version

-- blobs_kept --
UPDATE storage_blobs AS b SET state = 'live', version = written.version, position = 0, size = written.size,
  md5 = decode(written.md5, 'hex'), bucket_id = written.bucket, owner_id = written.owner
FROM written WHERE b.key = written.key AND b.state = 'pending'
RETURNING b.version

-- objects_written --
-- When it was; the statement fails with OG002 when not all is as it was seen.
SELECT storage_expect(
  (SELECT count(*) FROM blobs_kept JOIN (SELECT version FROM objects_made UNION ALL SELECT version FROM objects_changed) AS o USING (version)),
  (SELECT count(*) FROM written)
) AS moment

-- now --
SELECT clock_timestamp()

-- find --
-- Objects with their blobs; `number` says which was asked for.
SELECT asked.number, blobs.*, {object_of}
FROM unnest(%(buckets)s::text[], %(names)s::text[], %(public)s::boolean[]) WITH ORDINALITY AS asked (bucket, name, public, number)
JOIN objects AS o ON o.bucket_id = asked.bucket AND o.name = asked.name
CROSS JOIN LATERAL (
  SELECT coalesce(array_agg(key ORDER BY position), '{}'), coalesce(array_agg(size ORDER BY position), '{}'),
    coalesce(array_agg(md5 ORDER BY position), '{}'), coalesce(array_agg(sealed_key ORDER BY position), '{}')
  FROM storage_blobs WHERE version = o.version AND state <> 'pending'
) AS blobs
WHERE NOT asked.public OR EXISTS (SELECT FROM buckets WHERE id = asked.bucket AND public)

-- look --
-- What is where something is to be stored, one row for each place.
SELECT EXISTS (SELECT FROM storage_quotas WHERE subject = 'bucket:' || asked.bucket), {bucket_of}, {object_of}
FROM unnest(%(buckets)s::text[], %(names)s::text[]) WITH ORDINALITY AS asked (bucket, name, number)
LEFT JOIN buckets AS b ON b.id = asked.bucket
LEFT JOIN objects AS o ON o.bucket_id = asked.bucket AND o.name = asked.name
ORDER BY asked.number

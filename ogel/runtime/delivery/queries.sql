-- count_old --
-- Of a feature's table. What is under way is not over, whenever it was before.
SELECT count(*) FROM (
  SELECT FROM %b WHERE finished_at < %%(before)s AND status NOT IN ('pending', 'queued') LIMIT %%(most)s
) AS old

-- seen --
SELECT id, finished_at FROM %b
WHERE finished_at < %%(before)s AND finished_at >= %%(after_at)s::timestamptz
  AND (finished_at, id) > (%%(after_at)s::timestamptz, %%(after_id)s::text)
ORDER BY finished_at, id LIMIT %%(limit)s

-- old --
-- Others lock a job before what it is about: one that is `busy` is passed over, so that nobody waits in a circle.
SELECT id FROM %b
WHERE id = ANY (ARRAY (SELECT id FROM seen)) AND finished_at < %%(before)s AND status NOT IN ('pending', 'queued')
  AND id NOT IN (SELECT id FROM busy)
FOR UPDATE SKIP LOCKED

-- gone --
DELETE FROM %b WHERE id = ANY (ARRAY (SELECT id FROM old)) RETURNING id

-- walked --
-- How many of `seen` are `gone`, how many were looked at, and the last of these.
SELECT (SELECT count(*) FROM gone), (SELECT count(*) FROM seen), last.finished_at::text, last.id
FROM (SELECT) AS one LEFT JOIN seen AS last ON true ORDER BY last.finished_at DESC, last.id DESC LIMIT 1

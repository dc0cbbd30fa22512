-- walked --
-- How many of `seen` are `gone`, how many were looked at, and the last of these.
SELECT (SELECT count(*) FROM gone), (SELECT count(*) FROM seen), last.finished_at::text, last.id
FROM (SELECT) AS one LEFT JOIN seen AS last ON true ORDER BY last.finished_at DESC, last.id DESC LIMIT 1

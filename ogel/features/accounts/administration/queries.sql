-- count_users --
SELECT count(*) FROM users AS u WHERE {fits}

-- newest_users --
SELECT {user} FROM users AS u
WHERE {fits} AND (%(after_time)s::timestamptz IS NULL OR (created_at, id) < (%(after_time)s, %(after_id)s))
ORDER BY created_at DESC, id DESC OFFSET %(offset)s LIMIT %(limit)s

-- oldest_users --
SELECT {user} FROM users AS u
WHERE {fits} AND (%(after_time)s::timestamptz IS NULL OR (created_at, id) > (%(after_time)s, %(after_id)s))
ORDER BY created_at, id OFFSET %(offset)s LIMIT %(limit)s

-- authors --
-- Users whose address has that part; not all of too many.
SELECT id FROM users WHERE strpos(email, lower(%(part)s)) > 0 ORDER BY created_at, id LIMIT 1000

-- addresses --
SELECT id, coalesce(email, phone, '') FROM users WHERE id = ANY (%(ids)s)

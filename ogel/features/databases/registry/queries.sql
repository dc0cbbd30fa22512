-- insert_database --
-- Inserts nothing when the name is taken.
INSERT INTO platform_databases
  (id, name, type, host, port, database, username, sealed_password, password_hint, ssl_mode, auth_source, labels)
VALUES
  (%(id)s, %(name)s, %(type)s, %(host)s, %(port)s, %(database)s, %(username)s, %(sealed_password)s, %(password_hint)s,
   %(ssl_mode)s, %(auth_source)s, %(labels)s)
ON CONFLICT (name) DO NOTHING
RETURNING id

-- count_databases --
SELECT count(*) FROM platform_databases

-- get_database --
-- By id or name: an id has an underscore, and no name has one.
SELECT d.id, d.name, d.type, d.host, d.port, d.database, d.username, d.password_hint, d.ssl_mode, d.auth_source,
       d.labels, d.created_at, d.updated_at,
       h.state, h.since, h.checked_at, h.error, h.failures, h.latency_seconds, h.server_version
FROM platform_databases AS d LEFT JOIN platform_database_health AS h ON h.database_id = d.id
WHERE d.id = %(key)s OR d.name = %(key)s

-- list_databases --
SELECT d.id, d.name, d.type, d.host, d.port, d.database, d.username, d.password_hint, d.ssl_mode, d.auth_source,
       d.labels, d.created_at, d.updated_at,
       h.state, h.since, h.checked_at, h.error, h.failures, h.latency_seconds, h.server_version
FROM platform_databases AS d LEFT JOIN platform_database_health AS h ON h.database_id = d.id
WHERE (%(after)s::text IS NULL OR d.id < %(after)s)
  AND (%(type)s::text IS NULL OR d.type = %(type)s)
  AND (%(state)s::text IS NULL OR coalesce(h.state, 'unknown') = %(state)s)
ORDER BY d.id DESC
LIMIT %(limit)s

-- lock_database --
SELECT id, type, host, port, database, username, ssl_mode, auth_source, sealed_password, version
FROM platform_databases WHERE id = %(key)s OR name = %(key)s FOR NO KEY UPDATE

-- targets --
SELECT id, type, host, port, database, username, ssl_mode, auth_source, sealed_password, version
FROM platform_databases WHERE id = ANY (%(keys)s) OR name = ANY (%(keys)s)

-- named_targets --
SELECT name, id, type, host, port, database, username, ssl_mode, auth_source, sealed_password, version
FROM platform_databases ORDER BY name LIMIT %(most)s

-- is_migrating --
SELECT EXISTS (SELECT FROM platform_database_migrations WHERE database_id = %(id)s AND status = 'running')

-- rename --
UPDATE platform_databases SET name = %(name)s, updated_at = now() WHERE id = %(id)s

-- relabel --
UPDATE platform_databases SET labels = %(labels)s, updated_at = now() WHERE id = %(id)s

-- move --
UPDATE platform_databases
SET host = %(host)s, port = %(port)s, database = %(database)s, username = %(username)s, ssl_mode = %(ssl_mode)s,
    auth_source = %(auth_source)s, sealed_password = %(sealed_password)s, password_hint = %(password_hint)s,
    version = version + 1, updated_at = now()
WHERE id = %(id)s

-- forget_health --
DELETE FROM platform_database_health WHERE database_id = %(id)s

-- delete_database --
DELETE FROM platform_databases WHERE id = %(id)s

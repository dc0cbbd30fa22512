-- insert_run --
-- Inserts nothing while another run of the database is unfinished.
INSERT INTO platform_database_migrations (id, database_id, total) VALUES (%(id)s, %(database_id)s, %(total)s)
ON CONFLICT (database_id) WHERE status = 'running' DO NOTHING
RETURNING id

-- insert_files --
INSERT INTO platform_database_migration_files (run_id, place, name, checksum, sql)
SELECT %(run)s, place, name, checksum, sql
FROM json_to_recordset(%(rows)s::json) AS r (place int, name text, checksum text, sql text)

-- unfinished --
SELECT id FROM platform_database_migrations WHERE database_id = %(database_id)s AND status = 'running'

-- get_run --
SELECT id, database_id AS database, status, total, done, done - coalesce(before, done) AS applied,
       current_file AS current, waiting, is_cancelling AND status = 'running' AS cancelling, error, created_at, finished_at
FROM platform_database_migrations WHERE id = %(id)s AND database_id = %(database_id)s

-- list_runs --
SELECT id, database_id AS database, status, total, done, done - coalesce(before, done) AS applied,
       current_file AS current, waiting, is_cancelling AND status = 'running' AS cancelling, error, created_at, finished_at
FROM platform_database_migrations
WHERE database_id = %(database_id)s AND (%(after)s::text IS NULL OR id < %(after)s)
ORDER BY id DESC
LIMIT %(limit)s

-- running --
-- Which of these runs are to continue.
SELECT id FROM platform_database_migrations WHERE id = ANY (%(ids)s) AND status = 'running'

-- files --
SELECT name, checksum FROM platform_database_migration_files WHERE run_id = %(run)s ORDER BY place

-- sql_of --
SELECT sql FROM platform_database_migration_files WHERE run_id = %(run)s AND name = %(name)s

-- progress --
-- Whether the run is to continue.
UPDATE platform_database_migrations
SET done = %(done)s, before = coalesce(before, %(done)s), current_file = %(current)s, waiting = NULL
WHERE id = %(id)s AND status = 'running'
RETURNING NOT is_cancelling

-- wait --
UPDATE platform_database_migrations SET waiting = %(why)s WHERE id = %(id)s AND status = 'running'

-- end_run --
UPDATE platform_database_migrations
SET status = %(status)s, error = %(error)s, waiting = NULL, finished_at = now(),
    current_file = CASE WHEN %(status)s = 'failed' THEN current_file END
WHERE id = %(id)s AND status = 'running'
RETURNING database_id, done - coalesce(before, done)

-- forget_sql --
UPDATE platform_database_migration_files SET sql = NULL WHERE run_id = %(id)s

-- ask_to_cancel --
UPDATE platform_database_migrations SET is_cancelling = true WHERE id = %(id)s AND status = 'running'

-- go_on --
-- Updates nothing while another run is under way.
UPDATE platform_database_migrations AS m SET status = 'running', error = NULL, finished_at = NULL
WHERE id = %(id)s AND status = 'failed' AND NOT EXISTS (
  SELECT FROM platform_database_migrations AS other
  WHERE other.database_id = m.database_id AND other.status = 'running'
)

-- count_old --
SELECT count(*) FROM (SELECT FROM platform_database_migrations WHERE finished_at < %(before)s LIMIT %(most)s) AS old

-- purge_old --
DELETE FROM platform_database_migrations WHERE id IN (
  SELECT id FROM platform_database_migrations
  WHERE finished_at < %(before)s ORDER BY finished_at LIMIT %(limit)s
  FOR UPDATE SKIP LOCKED
)

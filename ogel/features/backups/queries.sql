-- schemas --
-- Our own schema, and the reserved ones that Ogel made: their comment begins with `Ogel:`.
SELECT nspname FROM pg_namespace
WHERE nspname = %(own)s OR (nspname = ANY (%(reserved)s) AND obj_description(oid, 'pg_namespace') LIKE 'Ogel:%%')

-- table_names --
-- Tables of other programs that our role may not read are left out.
SELECT relnamespace::regnamespace::text, relname FROM pg_class
WHERE relnamespace = ANY (%(schemas)s::text[]::regnamespace[]) AND relkind = 'r' AND has_table_privilege(oid, 'SELECT')

-- tables --
-- Generated columns are left out: restoring computes them again.
SELECT c.relnamespace::regnamespace::text, c.relname, array_agg(a.attname::text ORDER BY a.attnum), pg_table_size(c.oid)
FROM pg_class AS c
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
WHERE c.relnamespace = ANY (%(schemas)s::text[]::regnamespace[]) AND c.relkind = 'r'
  AND has_table_privilege(c.oid, 'SELECT')
GROUP BY c.oid, c.relname

-- references --
SELECT of_table.relnamespace::regnamespace::text, of_table.relname,
       to_table.relnamespace::regnamespace::text, to_table.relname
FROM pg_constraint
JOIN pg_class AS of_table ON of_table.oid = conrelid
JOIN pg_class AS to_table ON to_table.oid = confrelid
WHERE contype = 'f' AND connamespace = ANY (%(schemas)s::text[]::regnamespace[])

-- migrations --
SELECT version, name, checksum FROM schema_migrations ORDER BY version

-- sequences --
-- The sequences owned by a column (identity or serial).
SELECT s.oid::regclass::text, c.relnamespace::regnamespace::text, c.relname, a.attname
FROM pg_depend AS d
JOIN pg_class AS s ON s.oid = d.objid AND s.relkind = 'S'
JOIN pg_class AS c ON c.oid = d.refobjid
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid
WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
  AND c.relnamespace = ANY (%(schemas)s::text[]::regnamespace[])

-- triggered --
SELECT DISTINCT c.relnamespace::regnamespace::text, c.relname
FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid
WHERE NOT t.tgisinternal AND c.relnamespace = ANY (%(schemas)s::text[]::regnamespace[])

-- snapshot --
-- Must be the first statement of its transaction.
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY

-- allow_long --
-- Limits of this transaction: the time to copy one table, and the wait until the store has taken the last chunk.
SELECT set_config('statement_timeout', %(statement)s, true),
       set_config('idle_in_transaction_session_timeout', %(idle)s, true)

-- about_snapshot --
SELECT now(), current_setting('server_version')

-- insert_backup --
-- Inserts nothing while another backup runs.
INSERT INTO backups (id, note, scheduled) VALUES (%(id)s, %(note)s, %(scheduled)s)
ON CONFLICT DO NOTHING
RETURNING id

-- running --
SELECT id FROM backups WHERE status = 'running'

-- get_backup --
SELECT id, status, scheduled, note, tables, rows, bytes, expected_bytes, size, error, verification,
       verification_error, verified_at, created_at, finished_at
FROM backups WHERE id = %(id)s

-- list_backups --
SELECT id, status, scheduled, note, tables, rows, bytes, expected_bytes, size, error, verification,
       verification_error, verified_at, created_at, finished_at
FROM backups
WHERE (%(after)s::text IS NULL OR id < %(after)s)
  AND (%(status)s::text IS NULL OR status = %(status)s)
ORDER BY id DESC
LIMIT %(limit)s

-- run_of --
SELECT coalesce(run, '') FROM backups WHERE id = %(id)s AND status = 'running'

-- left_behind --
SELECT status, coalesce(run, '') FROM backups WHERE id = %(id)s

-- begin_run --
-- From now on only this run may update the backup.
UPDATE backups SET run = %(run)s, tables = 0, rows = 0, bytes = 0, size = 0, expected_bytes = NULL
WHERE id = %(id)s AND status = 'running' AND coalesce(run, '') = %(former)s
RETURNING note

-- advance --
UPDATE backups
SET tables = %(tables)s, rows = %(rows)s, bytes = %(bytes)s, size = %(size)s, expected_bytes = %(expected_bytes)s
WHERE id = %(id)s AND run = %(run)s AND status = 'running'

-- hold_run --
-- Until we commit nobody can begin another run, delete the backup or mark it as failed.
SELECT id FROM backups WHERE id = %(id)s AND run = %(run)s AND status = 'running' FOR UPDATE

-- complete --
UPDATE backups
SET status = 'complete', tables = %(tables)s, rows = %(rows)s, bytes = %(bytes)s, expected_bytes = %(bytes)s,
    size = %(size)s, error = NULL, finished_at = now()
WHERE id = %(id)s AND run = %(run)s AND status = 'running'
RETURNING id

-- note_error --
-- Records the error of an attempt that will be retried.
UPDATE backups SET error = %(error)s WHERE id = %(id)s AND status = 'running'

-- fail --
UPDATE backups SET status = 'failed', error = %(error)s, finished_at = now()
WHERE id = %(id)s AND status = 'running'
RETURNING id

-- go_on --
-- Marks the backup as running when its dead job is revived, unless another backup runs.
UPDATE backups SET status = 'running', finished_at = NULL
WHERE id = %(id)s AND status = 'failed' AND NOT EXISTS (SELECT FROM backups WHERE status = 'running')

-- delete_backup --
DELETE FROM backups WHERE id = %(id)s RETURNING id

-- begin_verifying --
UPDATE backups SET verification = 'running', verification_error = NULL
WHERE id = %(id)s AND status = 'complete'
RETURNING id

-- verified --
UPDATE backups SET verification = %(verification)s, verification_error = %(error)s, verified_at = now()
WHERE id = %(id)s

-- prune --
-- Deletes scheduled backups older than the newest `keep` complete ones, and old failed backups of any origin.
DELETE FROM backups
WHERE status <> 'running' AND (
  (scheduled AND id < (
    SELECT min(id) FROM (
      SELECT id FROM backups WHERE scheduled AND status = 'complete' ORDER BY id DESC LIMIT %(keep)s
    ) AS kept
  ))
  OR (status = 'failed' AND finished_at < %(failed_before)s)
)
RETURNING id

-- settle --
-- In a restored database: the row of the backup itself, which was running when it was copied.
UPDATE backups
SET status = 'complete', tables = %(tables)s, rows = %(rows)s, bytes = %(bytes)s, expected_bytes = %(bytes)s,
    size = %(size)s, error = NULL, finished_at = now()
WHERE id = %(id)s AND status = 'running'

-- overview --
-- Of the database as a whole. Ratios are null before anything was read.
SELECT pg_database_size(current_database()) AS size_bytes,
       numbackends AS connections_here,
       current_setting('max_connections')::int AS max_connections,
       CASE WHEN blks_hit + blks_read > 0 THEN round(blks_hit::numeric / (blks_hit + blks_read), 4)::float8 END
         AS cache_hit_ratio,
       xact_commit AS commits, xact_rollback AS rollbacks, deadlocks, temp_bytes,
       (SELECT age(datfrozenxid) FROM pg_database WHERE datname = current_database()) AS transaction_id_age,
       current_setting('autovacuum_freeze_max_age')::bigint AS transaction_id_age_limit,
       pg_is_in_recovery() AS is_replica,
       extract(epoch FROM now() - pg_postmaster_start_time())::float8 AS uptime_seconds,
       stats_reset AS counted_since
FROM pg_stat_database WHERE datname = current_database()

-- connections --
-- Of all databases of the server, by state; how old the oldest open transaction here is.
SELECT (SELECT coalesce(json_object_agg(state, count), '{}') FROM (
          SELECT coalesce(state, 'unknown') AS state, count(*) FROM pg_stat_activity
          WHERE backend_type = 'client backend' GROUP BY 1
        ) AS states) AS connections,
       (SELECT extract(epoch FROM max(now() - xact_start))::float8 FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()) AS oldest_transaction_seconds

-- dead_rows --
SELECT sum(n_live_tup)::bigint AS live_rows, sum(n_dead_tup)::bigint AS dead_rows FROM pg_stat_user_tables

-- largest_tables --
-- With their indexes and what is stored out of line.
SELECT schemaname AS schema, relname AS name, pg_total_relation_size(relid) AS size_bytes, n_live_tup AS live_rows,
       n_dead_tup AS dead_rows, greatest(last_vacuum, last_autovacuum) AS vacuumed_at
FROM pg_stat_user_tables ORDER BY pg_total_relation_size(relid) DESC, relid LIMIT 10

-- slowest_tables --
-- Those of which most rows were read without an index.
SELECT schemaname AS schema, relname AS name, seq_scan AS scans, seq_tup_read AS rows_scanned,
       coalesce(idx_scan, 0) AS index_scans
FROM pg_stat_user_tables WHERE seq_tup_read > 0 ORDER BY seq_tup_read DESC, relid LIMIT 10

-- schemas --
SELECT n.nspname AS name, pg_get_userbyid(n.nspowner) AS owner,
       (SELECT count(*) FROM pg_class AS c WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p')) AS tables,
       obj_description(n.oid, 'pg_namespace') AS comment
FROM pg_namespace AS n
WHERE n.nspname NOT LIKE 'pg\_%%' AND n.nspname <> 'information_schema'
  AND (%(after)s::text[] IS NULL OR n.nspname > (%(after)s::text[])[1])
ORDER BY n.nspname LIMIT %(limit)s

-- tables --
-- `rows` is the planner's estimate; null before the first analysis.
SELECT n.nspname AS schema, c.relname AS name,
       CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table' WHEN 'v' THEN 'view'
                      WHEN 'm' THEN 'materialized view' ELSE 'foreign table' END AS kind,
       CASE WHEN c.reltuples >= 0 THEN c.reltuples::bigint END AS rows,
       CASE WHEN c.relkind IN ('r', 'm') THEN pg_total_relation_size(c.oid) END AS size_bytes,
       pg_get_userbyid(c.relowner) AS owner, obj_description(c.oid, 'pg_class') AS comment
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT LIKE 'pg\_%%' AND n.nspname <> 'information_schema'
  AND (%(schema)s::text IS NULL OR n.nspname = %(schema)s)
  AND (%(after)s::text[] IS NULL OR (n.nspname, c.relname) > ((%(after)s::text[])[1], (%(after)s::text[])[2]))
ORDER BY n.nspname, c.relname LIMIT %(limit)s

-- columns --
SELECT n.nspname AS schema, c.relname AS table, a.attnum AS position, a.attname AS name,
       format_type(a.atttypid, a.atttypmod) AS type, NOT a.attnotnull AS nullable,
       pg_get_expr(d.adbin, d.adrelid) AS default, col_description(c.oid, a.attnum) AS comment
FROM pg_attribute AS a
JOIN pg_class AS c ON c.oid = a.attrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND n.nspname NOT LIKE 'pg\_%%' AND n.nspname <> 'information_schema'
  AND (%(schema)s::text IS NULL OR n.nspname = %(schema)s)
  AND (%(table)s::text IS NULL OR c.relname = %(table)s)
  AND (%(after)s::text[] IS NULL OR (n.nspname, c.relname, a.attnum)
       > ((%(after)s::text[])[1], (%(after)s::text[])[2], (%(after)s::text[])[3]::int))
ORDER BY n.nspname, c.relname, a.attnum LIMIT %(limit)s

-- indexes --
SELECT n.nspname AS schema, t.relname AS table, c.relname AS name, pg_get_indexdef(i.indexrelid) AS definition,
       i.indisunique AS unique, i.indisprimary AS primary, i.indisvalid AS valid,
       pg_relation_size(i.indexrelid) AS size_bytes, coalesce(s.idx_scan, 0) AS scans
FROM pg_index AS i
JOIN pg_class AS c ON c.oid = i.indexrelid
JOIN pg_class AS t ON t.oid = i.indrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_stat_user_indexes AS s ON s.indexrelid = i.indexrelid
WHERE n.nspname NOT LIKE 'pg\_%%' AND n.nspname <> 'information_schema'
  AND (%(schema)s::text IS NULL OR n.nspname = %(schema)s)
  AND (%(table)s::text IS NULL OR t.relname = %(table)s)
  AND (%(after)s::text[] IS NULL OR (n.nspname, c.relname) > ((%(after)s::text[])[1], (%(after)s::text[])[2]))
ORDER BY n.nspname, c.relname LIMIT %(limit)s

-- extensions --
-- Those that could be installed, too: their `installed_version` is null.
SELECT name, installed_version, default_version, comment
FROM pg_available_extensions
WHERE %(after)s::text[] IS NULL OR name > (%(after)s::text[])[1]
ORDER BY name LIMIT %(limit)s

-- outlive_nobody --
-- The server notices soon that we are gone, and ends what we began. Only since version 14.
SELECT set_config(name, '2s', false) FROM pg_settings WHERE name = 'client_connection_check_interval'

-- try_lock --
SELECT pg_try_advisory_lock(%(key)s)

-- current_schema --
SELECT current_schema()

-- create_log --
CREATE TABLE IF NOT EXISTS {log} (
  name        text PRIMARY KEY,
  checksum    text NOT NULL,
  applied_at  timestamptz NOT NULL DEFAULT now()
)

-- find_log --
-- In the first schema of the search path that has one.
SELECT n.nspname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relname = 'ogel_migrations' AND c.relkind = 'r' AND pg_table_is_visible(c.oid)

-- read_log --
SELECT name, checksum FROM {log} ORDER BY name

-- write_log --
INSERT INTO {log} (name, checksum) VALUES (%(name)s, %(checksum)s)

-- find_table --
-- An ordinary table that may have rows, as the planner believes how many (null before the first analysis), and its columns.
SELECT CASE WHEN c.reltuples >= 0 THEN c.reltuples::bigint END,
       ARRAY(SELECT a.attname::text FROM pg_attribute AS a
             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relname = %(name)s AND c.relkind IN ('r', 'p')

-- count_rows --
-- One more than are counted shows that there are more.
SELECT count(*) FROM (SELECT FROM {table} LIMIT %(most)s + 1) AS first_rows

-- newest_row --
SELECT max({column}) FROM {table}

-- labels --
SELECT DISTINCT {column}::text FROM {table} WHERE {column} IS NOT NULL ORDER BY 1 LIMIT 200

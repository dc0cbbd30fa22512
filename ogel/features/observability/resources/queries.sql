-- activity --
-- Connections of this database by state, and the share of the server's connections that all of them use.
SELECT 'database.connections' AS name, jsonb_build_object('state', coalesce(state, 'unknown')) AS labels,
       count(*)::float8 AS value
FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend' GROUP BY state
UNION ALL
SELECT 'database.connections_share', '{}', count(*)::float8 / current_setting('max_connections')::float8
FROM pg_stat_activity WHERE backend_type = 'client backend'
UNION ALL
SELECT 'database.cache_hit_share', '{}', blks_hit::float8 / (blks_hit + blks_read)
FROM pg_stat_database WHERE datname = current_database() AND blks_hit + blks_read >= %(least_blocks)s
UNION ALL
SELECT 'database.transaction_id_age', '{}', age(datfrozenxid)::float8
FROM pg_database WHERE datname = current_database()
UNION ALL
SELECT 'database.longest_transaction_seconds', '{}',
       coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0)::float8
FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
UNION ALL
-- Null without the right to see it (pg_monitor).
SELECT 'database.replication_lag_bytes', jsonb_build_object('standby', coalesce(nullif(application_name, ''), pid::text)),
       pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)::float8
FROM pg_stat_replication WHERE replay_lsn IS NOT NULL AND NOT pg_is_in_recovery()

-- sizes --
-- Sizes of the database and its largest tables.
WITH largest AS (
  SELECT relid, relname, n_dead_tup, greatest(last_vacuum, last_autovacuum) AS vacuumed_at
  FROM pg_stat_user_tables ORDER BY pg_total_relation_size(relid) DESC LIMIT %(tables)s
)
SELECT 'database.size_bytes' AS name, '{}'::jsonb AS labels, pg_database_size(current_database())::float8 AS value
UNION ALL
SELECT n.name, jsonb_build_object('table', relname), n.value
FROM largest CROSS JOIN LATERAL (VALUES
  ('database.table_bytes', pg_table_size(relid)::float8),
  ('database.index_bytes', pg_indexes_size(relid)::float8),
  ('database.dead_rows', n_dead_tup::float8),
  ('database.vacuum_age_seconds', extract(epoch FROM now() - vacuumed_at)::float8)
) AS n (name, value)
WHERE n.value IS NOT NULL

-- processes --
-- Processes that reported within the last minutes; of several with the same name after a restart, the newest.
SELECT DISTINCT ON (n.name, p.name) n.name, jsonb_build_object('process', p.name), n.value
FROM processes AS p CROSS JOIN LATERAL (VALUES
  ('process.memory_bytes', memory_bytes::float8), ('process.cpu_seconds', cpu_seconds)
) AS n (name, value)
WHERE seen_at > now() - make_interval(secs => %(seconds)s)
ORDER BY n.name, p.name, seen_at DESC

-- insert_samples --
INSERT INTO resource_samples (name, sampled_at, labels, value)
SELECT name, now(), labels, value
FROM json_to_recordset(%(rows)s::json) AS r (name text, labels jsonb, value float8)
ON CONFLICT (name, sampled_at, labels) DO NOTHING

-- latest --
-- The samples of the last time that any were taken, if that is recent.
SELECT name, labels, value, sampled_at FROM resource_samples
WHERE sampled_at = (
  SELECT max(sampled_at) FROM resource_samples WHERE sampled_at > now() - make_interval(secs => %(seconds)s)
)
ORDER BY name, labels

-- list_samples --
-- Newest first.
SELECT name, labels, value, sampled_at FROM resource_samples
WHERE name = %(name)s AND sampled_at >= %(since)s AND sampled_at < %(until)s
  AND (%(after_at)s::timestamptz IS NULL OR (sampled_at, labels) < (%(after_at)s, %(after_labels)s::jsonb))
ORDER BY sampled_at DESC, labels DESC
LIMIT %(limit)s

-- between --
-- Oldest first.
SELECT name, labels, value, sampled_at AS at FROM resource_samples
WHERE name = ANY (%(names)s::text[]) AND sampled_at >= %(since)s AND sampled_at < %(until)s
ORDER BY sampled_at

-- count_old --
SELECT count(*) FROM (SELECT FROM resource_samples WHERE sampled_at < %(before)s LIMIT %(most)s) AS old

-- purge_old --
DELETE FROM resource_samples WHERE ctid IN (
  SELECT ctid FROM resource_samples WHERE sampled_at < %(before)s LIMIT %(limit)s
  FOR UPDATE SKIP LOCKED
)

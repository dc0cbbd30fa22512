-- little_memory --
SET LOCAL work_mem = '64kB'

-- spill --
-- More rows than that memory holds, so that the server has to write some to its disk.
SELECT current_setting('transaction_read_only') = 'on' FROM generate_series(1, 10000) HAVING count(*) > 0

-- settled_until --
-- Bounded: no connection of ours keeps a transaction open for longer.
SELECT greatest(least(now(), min(xact_start)) - interval '2 seconds', now() - interval '2 minutes'), now()
FROM pg_stat_activity
WHERE datname = current_database() AND application_name ~ '^ogel( |$)' AND pid <> pg_backend_pid()

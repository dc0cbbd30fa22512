-- outside a transaction
-- A purge that passes over rows goes on where its last bite ended, and one that deletes very many does not count them
-- all. The version before knows neither: a run that it begins has no cursor, and one that it ends has been looked
-- through.
ALTER TABLE purge_runs ADD COLUMN IF NOT EXISTS total_is_least boolean NOT NULL DEFAULT false;
ALTER TABLE purge_runs ADD COLUMN IF NOT EXISTS cursor json;
COMMENT ON COLUMN purge_runs.total_is_least IS 'there were that many or more: they were counted no further';
COMMENT ON COLUMN purge_runs.cursor IS '[time, id] of the last row that was looked at; null: from the beginning';

-- Dead jobs in the order in which they are walked through.
DROP INDEX CONCURRENTLY IF EXISTS job_queue_dead_order;
CREATE INDEX CONCURRENTLY job_queue_dead_order ON job_queue (coalesce(processed_at, created_at), id) WHERE status = 'dead';
DROP INDEX CONCURRENTLY IF EXISTS job_queue_dead;

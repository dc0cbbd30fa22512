-- outside a transaction
-- Audit records are chained by hashes after they were written, and each purge tells how its last run went. Built
-- concurrently, since records are being written meanwhile.

-- null: not sealed yet. The version before writes records without these, and they are sealed like all others.
ALTER TABLE audit_logs ADD COLUMN IF NOT EXISTS chain_seq bigint;
ALTER TABLE audit_logs ADD COLUMN IF NOT EXISTS hash bytea;
COMMENT ON COLUMN audit_logs.chain_seq IS 'place in the chain; null: not sealed yet';
COMMENT ON COLUMN audit_logs.hash IS 'SHA-256 of the hash before it and of the record, see features/audit/chain.py';
DROP INDEX CONCURRENTLY IF EXISTS audit_logs_chain;
CREATE UNIQUE INDEX CONCURRENTLY audit_logs_chain ON audit_logs (chain_seq) WHERE chain_seq IS NOT NULL;
DROP INDEX CONCURRENTLY IF EXISTS audit_logs_unsealed;
CREATE INDEX CONCURRENTLY audit_logs_unsealed ON audit_logs (created_at, id) WHERE chain_seq IS NULL;

-- Where the chain begins, past what retention deleted, and where it ends.
CREATE TABLE IF NOT EXISTS audit_chain (
  name text PRIMARY KEY CHECK (name IN ('anchor', 'head')),
  seq bigint NOT NULL,
  hash bytea NOT NULL,
  sealed bytea NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
COMMENT ON TABLE audit_chain IS 'ends of the chain of audit_logs: the last record purged, and the last one sealed';
COMMENT ON COLUMN audit_chain.sealed IS 'seq and hash again, AES-256-GCM under a key derived from OGEL_SECRET';

-- The last run of each purge, under way or over; a bite and its count are committed together.
CREATE TABLE IF NOT EXISTS purge_runs (
  name text PRIMARY KEY,
  job_id text NOT NULL,
  before timestamptz NOT NULL,
  total bigint NOT NULL,
  deleted bigint NOT NULL DEFAULT 0,
  started_at timestamptz NOT NULL DEFAULT now(),
  finished_at timestamptz,
  error text
) WITH (fillfactor = 50);
COMMENT ON COLUMN purge_runs.before IS 'what is older goes';
COMMENT ON COLUMN purge_runs.total IS 'as many there were when it began';

-- Dead jobs and keys that ended have a retention, too.
DROP INDEX CONCURRENTLY IF EXISTS job_queue_dead;
CREATE INDEX CONCURRENTLY job_queue_dead ON job_queue (coalesce(processed_at, created_at)) WHERE status = 'dead';
DROP INDEX CONCURRENTLY IF EXISTS api_keys_ended;
CREATE INDEX CONCURRENTLY api_keys_ended ON api_keys (least(revoked_at, expires_at))
  WHERE least(revoked_at, expires_at) IS NOT NULL;

-- What purged by kinds and schedules of their own: nobody would perform what still waits.
DELETE FROM job_queue
WHERE kind IN ('audit.purge', 'webhooks.purge_replays', 'messaging.purge', 'databases.purge_migrations');
DELETE FROM schedules
WHERE name IN ('audit.purge', 'webhooks.purge_replays', 'cleanup.purge', 'messaging.purge', 'databases.purge_migrations');

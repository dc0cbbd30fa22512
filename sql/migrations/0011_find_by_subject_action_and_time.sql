-- outside a transaction
-- Indexes for what operators ask for and what is rarely there: without them, a subject or an action that does not occur
-- cost a walk over every event or record. Built concurrently, since events are being published meanwhile.

DROP INDEX CONCURRENTLY IF EXISTS events_subject;
CREATE INDEX CONCURRENTLY events_subject ON events (subject, created_at, id) WHERE subject IS NOT NULL;

DROP INDEX CONCURRENTLY IF EXISTS audit_logs_action;
CREATE INDEX CONCURRENTLY audit_logs_action ON audit_logs (action, id);

-- When an attempt was written down, which may be long after it began: `ogel webhooks tail` follows it. The version
-- before does not name the column. Rows come in the order of this time, so a BRIN index, which costs an insert next to
-- nothing, finds the latest.
ALTER TABLE webhook_attempts ADD COLUMN IF NOT EXISTS recorded_at timestamptz NOT NULL DEFAULT now();
COMMENT ON COLUMN webhook_attempts.recorded_at IS 'when it was written down, or told late how it had ended';
DROP INDEX CONCURRENTLY IF EXISTS webhook_attempts_recorded_at;
CREATE INDEX CONCURRENTLY webhook_attempts_recorded_at ON webhook_attempts
  USING brin (recorded_at) WITH (pages_per_range = 32, autosummarize = on);

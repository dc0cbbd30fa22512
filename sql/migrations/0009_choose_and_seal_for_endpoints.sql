-- What an endpoint hears, how much of it, how fast and in which order; and its custom headers, which hold tokens of
-- receivers, sealed. SQL cannot seal, so a job does that for the rows that are there, a while from now, when no process
-- of the version before writes plain ones any more; until then they are sent from where they stand.
ALTER TABLE webhook_endpoints
  ADD COLUMN filter          json,
  ADD COLUMN payload         text NOT NULL DEFAULT 'full' CHECK (payload IN ('full', 'thin')),
  ADD COLUMN ordered_by      text CHECK (ordered_by IN ('subject')),
  ADD COLUMN rate_limit      jsonb,
  ADD COLUMN sealed_headers  bytea,
  ADD COLUMN header_hints    json NOT NULL DEFAULT '{}';

COMMENT ON COLUMN webhook_endpoints.filter IS 'conditions on the event, see features/webhooks/fanout/filter.py; null: none';
COMMENT ON COLUMN webhook_endpoints.ordered_by IS 'deliveries of one subject are sent one at a time, in order; null: no order';
COMMENT ON COLUMN webhook_endpoints.rate_limit IS '{"per_second": …, "burst": …}; job_keys holds what claims obey';
COMMENT ON COLUMN webhook_endpoints.sealed_headers IS 'JSON object, AES-256-GCM under a key derived from OGEL_SECRET; null: none';
COMMENT ON COLUMN webhook_endpoints.header_hints IS 'the same names with what may be shown of their values';
COMMENT ON COLUMN webhook_endpoints.headers IS 'plain headers of the version before, until they are sealed; then empty';

UPDATE webhook_endpoints
SET header_hints = (SELECT json_object_agg(key, '****') FROM jsonb_each(headers))
WHERE headers <> '{}';

INSERT INTO job_queue (id, queue_name, kind, payload, max_attempts, scheduled_at, dedupe_key)
SELECT 'job_seal_webhook_headers', 'cleanup', 'webhooks.seal_headers', '{}', 20, now() + interval '15 minutes',
       'webhooks.seal_headers'
WHERE EXISTS (SELECT FROM webhook_endpoints);

-- The same id published twice changes nothing, for ever: what retention deletes leaves its id and its answer here, save
-- for ids that Ogel made, which their publishers learned from the answer and have no reason to send.
CREATE TABLE event_ids (
  id          text COLLATE "C" PRIMARY KEY,
  deliveries  integer NOT NULL
);

COMMENT ON TABLE event_ids IS 'ids of events that retention has deleted, and what publishing them answered';

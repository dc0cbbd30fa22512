-- A replay hands an endpoint's past to delivery again: what failed, what never became a delivery, or everything. It is
-- a row, moved along by a chain of jobs: each moves the cursor, the counts and the deliveries of its page in one
-- transaction, and writes the next job in it, so that nothing is handed over twice whatever dies in between.
-- webhook_id has no foreign key: like deliveries, a replay is remembered when its endpoint is gone.
CREATE TABLE webhook_replays (
  id           text PRIMARY KEY,
  webhook_id   text NOT NULL,
  since        timestamptz NOT NULL,
  until        timestamptz NOT NULL,
  choice       text NOT NULL CHECK (choice IN ('failed', 'missing', 'all')),
  event_globs  text[] NOT NULL,
  event_likes  text[] NOT NULL,
  per_second   integer CHECK (per_second > 0),
  status       text NOT NULL DEFAULT 'running' CHECK (status IN ('running', 'paused', 'cancelled', 'completed')),
  step         integer NOT NULL DEFAULT 0,
  waits        integer NOT NULL DEFAULT 0,
  cursor_at    timestamptz NOT NULL,
  cursor_id    text NOT NULL,
  replayed     bigint NOT NULL DEFAULT 0,
  skipped      bigint NOT NULL DEFAULT 0,
  counted_at   timestamptz NOT NULL,
  counted_id   text NOT NULL,
  counted      bigint NOT NULL DEFAULT 0,
  is_counted   boolean NOT NULL DEFAULT false,
  error        text,
  created_at   timestamptz NOT NULL DEFAULT now(),
  finished_at  timestamptz
) WITH (fillfactor = 50);

COMMENT ON COLUMN webhook_replays.step IS 'the job that may act; one of an earlier step has nothing to do';
COMMENT ON COLUMN webhook_replays.waits IS 'steps in a row that found too much waiting for the endpoint';
COMMENT ON COLUMN webhook_replays.cursor_id IS 'the last event looked at, or delivery where only those are walked (failed)';
COMMENT ON COLUMN webhook_replays.counted_id IS 'like cursor_id, of the count, which goes ahead of the cursor';

-- One at a time: two would compete for the same deliveries, and for the endpoint.
CREATE UNIQUE INDEX webhook_replays_unfinished ON webhook_replays (webhook_id) WHERE status IN ('running', 'paused');
CREATE INDEX webhook_replays_webhook ON webhook_replays (webhook_id, id);
CREATE INDEX webhook_replays_finished ON webhook_replays (finished_at) WHERE finished_at IS NOT NULL;

-- An event has at most one delivery per endpoint; a replay asks for it, event by event.
DROP INDEX webhook_deliveries_event;
CREATE UNIQUE INDEX webhook_deliveries_event ON webhook_deliveries (event_id, webhook_id);
-- What did not end well is rare and looked for; what was delivered is found without an index of its own.
CREATE INDEX webhook_deliveries_failed ON webhook_deliveries (webhook_id, id) WHERE status = 'failed';
CREATE INDEX webhook_deliveries_status ON webhook_deliveries (status, id) WHERE status <> 'delivered';

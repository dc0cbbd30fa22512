-- An endpoint is a URL that wants events; a delivery is one event for one endpoint; an attempt is one HTTP request.
CREATE TABLE webhook_endpoints (
  id               text PRIMARY KEY,
  url              text NOT NULL,
  description      text NOT NULL DEFAULT '',
  event_globs      text[] NOT NULL,
  event_likes      text[] NOT NULL,
  state            text NOT NULL DEFAULT 'enabled' CHECK (state IN ('enabled', 'paused')),
  sealed_secret    bytea NOT NULL,
  headers          jsonb NOT NULL DEFAULT '{}',
  max_in_flight    integer NOT NULL CHECK (max_in_flight > 0),
  timeout_seconds  double precision NOT NULL CHECK (timeout_seconds > 0),
  created_at       timestamptz NOT NULL DEFAULT now(),
  updated_at       timestamptz NOT NULL DEFAULT now()
);

COMMENT ON COLUMN webhook_endpoints.event_likes IS 'event_globs as LIKE patterns, so that fan-out is one indexable question';
COMMENT ON COLUMN webhook_endpoints.sealed_secret IS 'AES-256-GCM under a key derived from OGEL_SECRET';

-- webhook_id has no foreign key: the log of what was sent outlives the endpoint.
CREATE TABLE webhook_deliveries (
  id               text PRIMARY KEY,
  event_id         text NOT NULL REFERENCES events (id),
  webhook_id       text NOT NULL,
  status           text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'delivered', 'failed', 'cancelled')),
  attempts         integer NOT NULL DEFAULT 0,
  next_attempt_at  timestamptz,
  finished_at      timestamptz,
  created_at       timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);

CREATE INDEX webhook_deliveries_event ON webhook_deliveries (event_id);
CREATE INDEX webhook_deliveries_webhook ON webhook_deliveries (webhook_id, id);
CREATE INDEX webhook_deliveries_finished ON webhook_deliveries (finished_at) WHERE finished_at IS NOT NULL;

CREATE TABLE webhook_attempts (
  id                text PRIMARY KEY,
  delivery_id       text NOT NULL REFERENCES webhook_deliveries (id) ON DELETE CASCADE,
  number            integer NOT NULL,
  outcome           text NOT NULL CHECK (outcome IN ('delivered', 'failed')),
  reason            text,
  detail            text,
  response_status   integer,
  response_body     text,
  response_cut      boolean NOT NULL DEFAULT false,
  peer              text,
  started_at        timestamptz NOT NULL,
  duration_seconds  double precision NOT NULL
);

CREATE INDEX webhook_attempts_delivery ON webhook_attempts (delivery_id, number);

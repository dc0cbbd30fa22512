-- `data` is json, not jsonb: receivers get the publisher's own text, key order and number spelling included.
CREATE TABLE events (
  id          text PRIMARY KEY CHECK (id ~ '^[A-Za-z0-9_-]{1,128}$'),
  type        text NOT NULL,
  subject     text,
  data        json NOT NULL,
  deliveries  integer NOT NULL DEFAULT 0,
  created_at  timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 90);

CREATE INDEX events_created_at ON events (created_at, id);
CREATE INDEX events_type ON events (type, created_at, id);

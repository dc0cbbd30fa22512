-- An endpoint may be a listener: a laptop that asks for its deliveries instead of a URL that is sent to. The version before
-- would send to the listener's URL, which only the laptop can reach: its attempts fail, and are made again.
-- needs: 202611281830_move_tables_to_schema_ogel
ALTER TABLE webhook_endpoints ADD COLUMN kind text NOT NULL DEFAULT 'url'
  CONSTRAINT webhook_endpoints_kind_check CHECK (kind IN ('url', 'listener'));
COMMENT ON COLUMN webhook_endpoints.kind IS 'url: workers send to it; listener: it asks for its deliveries, and url is where it takes them';

CREATE TABLE webhook_presence (
  webhook_id text PRIMARY KEY REFERENCES webhook_endpoints (id) ON DELETE CASCADE,
  seen_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE webhook_presence IS 'when each listener asked last; one that is away for a minute is forgotten';

-- Requests under way to listeners, each for seconds: what a crash of the server loses is sent again.
CREATE UNLOGGED TABLE webhook_handovers (
  id text PRIMARY KEY,
  webhook_id text NOT NULL REFERENCES webhook_endpoints (id) ON DELETE CASCADE,
  request text NOT NULL,
  answer_seconds double precision NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  taken_at timestamptz,
  answer text
);
COMMENT ON COLUMN webhook_handovers.request IS 'what the listener is to send, as JSON';
COMMENT ON COLUMN webhook_handovers.answer_seconds IS 'how long an answer is waited for once it is taken';
COMMENT ON COLUMN webhook_handovers.answer IS 'what came back, as JSON';
CREATE INDEX webhook_handovers_open ON webhook_handovers (webhook_id, id) WHERE taken_at IS NULL;

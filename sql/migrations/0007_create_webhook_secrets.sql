-- An endpoint has up to ten secrets alive at once, so that receivers can move from one to the next at their leisure.
-- Workers of the version before read the column that goes away here: until they are replaced, what they claim fails.
CREATE TABLE webhook_secrets (
  id          text PRIMARY KEY,
  webhook_id  text NOT NULL REFERENCES webhook_endpoints (id) ON DELETE CASCADE,
  signing     text NOT NULL CHECK (signing IN ('v1', 'v1a')),
  sealed      bytea NOT NULL,
  created_at  timestamptz NOT NULL DEFAULT now(),
  expires_at  timestamptz
);

CREATE INDEX webhook_secrets_webhook ON webhook_secrets (webhook_id);
-- The one that was made last, and only that one, signs without end.
CREATE UNIQUE INDEX webhook_secrets_newest ON webhook_secrets (webhook_id) WHERE expires_at IS NULL;

COMMENT ON COLUMN webhook_secrets.signing IS 'v1: an HMAC-SHA256 key; v1a: an Ed25519 seed and its public key';
COMMENT ON COLUMN webhook_secrets.sealed IS 'AES-256-GCM under a key derived from OGEL_SECRET, whose id it begins with';
COMMENT ON COLUMN webhook_secrets.expires_at IS 'it signs until then; null: until it is replaced';

INSERT INTO webhook_secrets (id, webhook_id, signing, sealed, created_at)
SELECT 'sec_' || substring(id FROM 4), id, 'v1', sealed_secret, created_at FROM webhook_endpoints;

ALTER TABLE webhook_endpoints
  DROP COLUMN sealed_secret,
  ADD COLUMN secrets_version integer NOT NULL DEFAULT 1,
  ADD COLUMN compatibility text CHECK (compatibility IN ('appwrite'));

COMMENT ON COLUMN webhook_endpoints.secrets_version IS 'grows with every rotation, so that workers know when to read webhook_secrets anew';
COMMENT ON COLUMN webhook_endpoints.compatibility IS 'whose headers are sent besides those of Standard Webhooks';

-- user_id gets its foreign key when accounts exist; until then it stays empty and `actor` says who it was.
CREATE TABLE audit_logs (
  id             text PRIMARY KEY,
  user_id        uuid,
  actor          text NOT NULL,
  action         text NOT NULL,
  resource_type  text NOT NULL,
  resource_id    text NOT NULL,
  metadata       jsonb NOT NULL DEFAULT '{}',
  ip_address     inet,
  user_agent     text,
  request_id     text,
  created_at     timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX audit_logs_user_id ON audit_logs (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX audit_logs_resource ON audit_logs (resource_type, resource_id, id);
CREATE INDEX audit_logs_actor ON audit_logs (actor, id);
CREATE INDEX audit_logs_created_at ON audit_logs (created_at);

-- Keys are long and random, so a plain SHA-256 is enough to make the stored value useless to a thief.
CREATE TABLE api_keys (
  id            text PRIMARY KEY,
  name          text NOT NULL,
  key_hash      bytea NOT NULL UNIQUE,
  hint          text NOT NULL,
  scopes        text[] NOT NULL,
  expires_at    timestamptz,
  revoked_at    timestamptz,
  created_at    timestamptz NOT NULL DEFAULT now()
);

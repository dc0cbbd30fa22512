-- Mail: what was asked for once, a message for each recipient, every attempt to send it, and whom nothing is sent to.

-- The words are stored once, however many they are for.
CREATE TABLE mail_requests (
  id text PRIMARY KEY,
  idempotency_key text UNIQUE,
  fingerprint bytea NOT NULL,
  answer json NOT NULL,
  sender text NOT NULL,
  reply_to text,
  subject text NOT NULL,
  body_text text,
  body_html text,
  headers json NOT NULL,
  template text,
  locale text,
  created_at timestamptz NOT NULL DEFAULT now(),
  CHECK (body_text IS NOT NULL OR body_html IS NOT NULL)
);
COMMENT ON COLUMN mail_requests.fingerprint IS 'of the body asked with: another body under the same key is refused';
COMMENT ON COLUMN mail_requests.answer IS 'what was answered, for the same key again';

CREATE TABLE mail_messages (
  id text PRIMARY KEY COLLATE "C",
  request_id text NOT NULL REFERENCES mail_requests (id),
  recipient text NOT NULL,
  address text NOT NULL COLLATE "C",
  status text NOT NULL DEFAULT 'queued' CHECK (status IN ('queued', 'sent', 'failed', 'suppressed')),
  attempts integer NOT NULL DEFAULT 0,
  provider text,
  provider_id text,
  error text,
  queued_at timestamptz NOT NULL DEFAULT now(),
  next_attempt_at timestamptz,
  finished_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 80);
COMMENT ON COLUMN mail_messages.address IS 'of the recipient, in the one way to write it that suppressions use';
COMMENT ON COLUMN mail_messages.queued_at IS 'when it was last asked for: at first, or by a retry';

CREATE INDEX mail_messages_request ON mail_messages (request_id);
CREATE INDEX mail_messages_status ON mail_messages (status, id);
CREATE INDEX mail_messages_address ON mail_messages (address, id);
CREATE INDEX mail_messages_finished ON mail_messages (finished_at) WHERE finished_at IS NOT NULL;

CREATE TABLE mail_attempts (
  id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  message_id text NOT NULL COLLATE "C",
  provider text,
  started_at timestamptz NOT NULL,
  seconds double precision,
  error text
);
COMMENT ON COLUMN mail_attempts.provider IS 'null: a worker began this attempt and disappeared';

CREATE INDEX mail_attempts_message ON mail_attempts (message_id, id);

CREATE TABLE mail_suppressions (
  address text PRIMARY KEY COLLATE "C",
  reason text NOT NULL CHECK (reason IN ('bounce', 'complaint', 'unsubscribe', 'manual')),
  detail text,
  message_id text,
  created_at timestamptz NOT NULL DEFAULT now()
);

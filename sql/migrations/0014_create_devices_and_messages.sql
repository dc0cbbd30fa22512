-- Where a push can go. What addresses a device (an FCM token, a browser's subscription) lets anyone who has it send to
-- it, or shows where its owner is reached: it is sealed, and found by its hash.
CREATE TABLE devices (
  id               text PRIMARY KEY,
  provider         text NOT NULL CHECK (provider IN ('fcm', 'webpush')),
  service          text NOT NULL,
  address_hash     bytea NOT NULL,
  sealed           bytea NOT NULL,
  subject          text,
  disabled_at      timestamptz,
  disabled_reason  text,
  created_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
  CHECK ((disabled_at IS NULL) = (disabled_reason IS NULL))
) WITH (fillfactor = 80);

COMMENT ON COLUMN devices.service IS 'fcm, or the origin of the push service; messages to one service share a job key';
COMMENT ON COLUMN devices.sealed IS 'token or subscription, AES-256-GCM under a key derived from OGEL_SECRET';
COMMENT ON COLUMN devices.subject IS 'whose it is, in the words of the caller';
COMMENT ON COLUMN devices.disabled_at IS 'when its provider said that it is gone; null: it is enabled';

CREATE UNIQUE INDEX devices_address ON devices (address_hash);
CREATE INDEX devices_subject ON devices (subject, id) WHERE subject IS NOT NULL;
CREATE INDEX devices_disabled ON devices (disabled_at) WHERE disabled_at IS NOT NULL;

-- One text to one number, or one push to one device. No foreign key: what was sent is remembered when its device is gone.
CREATE TABLE messages (
  id                   text PRIMARY KEY,
  channel              text NOT NULL CHECK (channel IN ('sms', 'push')),
  recipient            text NOT NULL,
  content              json NOT NULL,
  status               text NOT NULL CHECK (status IN ('queued', 'sent', 'failed')),
  provider             text,
  provider_message_id  text,
  error                text,
  attempts             integer NOT NULL DEFAULT 0,
  lifetime_seconds     integer NOT NULL,
  queued_at            timestamptz NOT NULL DEFAULT now(),
  next_attempt_at      timestamptz,
  finished_at          timestamptz,
  created_at           timestamptz NOT NULL DEFAULT now(),
  CHECK ((finished_at IS NULL) = (status = 'queued'))
) WITH (fillfactor = 70);

COMMENT ON COLUMN messages.recipient IS 'a number (E.164), or the id of a device';
COMMENT ON COLUMN messages.lifetime_seconds IS 'counted from queued_at: what is not sent by then has failed';
COMMENT ON COLUMN messages.queued_at IS 'when it was accepted, or retried';

CREATE INDEX messages_recipient ON messages (recipient, id);
CREATE INDEX messages_channel ON messages (channel, id);
-- What did not end well is rare and looked for; what was sent is found without an index of its own.
CREATE INDEX messages_status ON messages (status, id) WHERE status <> 'sent';
CREATE INDEX messages_finished ON messages (finished_at) WHERE finished_at IS NOT NULL;

-- One call of one provider. Only ever written in the transaction that holds the message's job, and deleted with the
-- message: a foreign key would prove what that guarantees.
CREATE TABLE message_attempts (
  id                text PRIMARY KEY,
  message_id        text NOT NULL,
  provider          text,
  outcome           text NOT NULL CHECK (outcome IN ('sent', 'failed', 'unknown')),
  error             text,
  started_at        timestamptz NOT NULL,
  duration_seconds  real
);

COMMENT ON COLUMN message_attempts.outcome IS 'unknown: its worker disappeared before it could say, and nobody knows of which provider';

CREATE INDEX message_attempts_message ON message_attempts (message_id, id);

-- What was answered to a request with an idempotency key, so that it is answered the same again.
CREATE TABLE message_requests (
  key          text PRIMARY KEY,
  fingerprint  bytea NOT NULL,
  answer       json NOT NULL,
  created_at   timestamptz NOT NULL DEFAULT now()
);

COMMENT ON COLUMN message_requests.fingerprint IS 'SHA-256 of the request; another one with the same key is refused';

CREATE INDEX message_requests_created ON message_requests (created_at);

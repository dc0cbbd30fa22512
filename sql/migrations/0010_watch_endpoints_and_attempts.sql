-- What is known of endpoints that fail. An endpoint that is well has no row, so that being well costs nothing.
CREATE TABLE webhook_health (
  webhook_id       text PRIMARY KEY REFERENCES webhook_endpoints (id) ON DELETE CASCADE,
  failing_since    timestamptz NOT NULL DEFAULT now(),
  failures         integer NOT NULL,
  failures_in_row  integer NOT NULL,
  last_error       text NOT NULL,
  opened_at        timestamptz,
  warned           smallint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

COMMENT ON COLUMN webhook_health.failing_since IS 'the first failure after the last success';
COMMENT ON COLUMN webhook_health.failures IS 'since then, of any sort';
COMMENT ON COLUMN webhook_health.failures_in_row IS 'without any answer that shows the receiver alive; these open the breaker';
COMMENT ON COLUMN webhook_health.opened_at IS 'when the breaker opened; null: it is closed';
COMMENT ON COLUMN webhook_health.warned IS 'the percentage of the way to being disabled that was told last';

ALTER TABLE webhook_endpoints
  DROP CONSTRAINT webhook_endpoints_state_check,
  ADD CONSTRAINT webhook_endpoints_state_check CHECK (state IN ('enabled', 'paused', 'disabled')),
  ADD COLUMN disabled_reason text CHECK (disabled_reason IN ('failing', 'gone')),
  ADD CHECK ((state = 'disabled') = (disabled_reason IS NOT NULL));

-- An attempt is named by its delivery and its number, and 'unknown' when its worker disappeared before it could tell.
-- It is only ever written in the transaction that updates its delivery, and deleted with it: a foreign key would prove
-- what that lock guarantees, at a quarter of the cost of the whole insert.
ALTER TABLE webhook_attempts
  DROP CONSTRAINT webhook_attempts_pkey,
  DROP CONSTRAINT webhook_attempts_delivery_id_fkey,
  DROP COLUMN id,
  DROP CONSTRAINT webhook_attempts_outcome_check,
  ADD CONSTRAINT webhook_attempts_outcome_check CHECK (outcome IN ('delivered', 'failed', 'unknown')),
  ADD COLUMN request_headers json,
  ADD COLUMN response_headers json,
  ADD COLUMN dns_seconds real,
  ADD COLUMN connect_seconds real,
  ADD COLUMN tls_seconds real,
  ADD COLUMN first_byte_seconds real,
  ALTER COLUMN duration_seconds DROP NOT NULL;
DROP INDEX webhook_attempts_delivery;
UPDATE webhook_attempts AS a SET number = n.number
FROM (SELECT ctid, row_number() OVER (PARTITION BY delivery_id ORDER BY started_at) AS number FROM webhook_attempts) AS n
WHERE a.ctid = n.ctid AND a.number <> n.number;
ALTER TABLE webhook_attempts ADD PRIMARY KEY (delivery_id, number);

-- Workers keep what they need of an endpoint, made ready, until its version changes. It changes with every update, by
-- whatever statement, so that none can forget to.
ALTER TABLE webhook_endpoints ADD COLUMN version integer NOT NULL DEFAULT 1;

CREATE FUNCTION next_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.version := OLD.version + 1;
  RETURN NEW;
END
$$;

CREATE TRIGGER webhook_endpoints_version BEFORE UPDATE ON webhook_endpoints
  FOR EACH ROW EXECUTE FUNCTION next_version();

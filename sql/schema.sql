-- The result of sql/migrations, to be read; `make schema` writes it. Why things are so is said there.

CREATE TABLE api_keys (
    id text NOT NULL,
    name text NOT NULL,
    key_hash bytea NOT NULL,
    hint text NOT NULL,
    scopes text[] NOT NULL,
    expires_at timestamp with time zone,
    revoked_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE ONLY api_keys
    ADD CONSTRAINT api_keys_key_hash_key UNIQUE (key_hash);

ALTER TABLE ONLY api_keys
    ADD CONSTRAINT api_keys_pkey PRIMARY KEY (id);

CREATE TABLE audit_logs (
    id text NOT NULL,
    user_id uuid,
    actor text NOT NULL,
    action text NOT NULL,
    resource_type text NOT NULL,
    resource_id text NOT NULL,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    ip_address inet,
    user_agent text,
    request_id text,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE ONLY audit_logs
    ADD CONSTRAINT audit_logs_pkey PRIMARY KEY (id);

CREATE INDEX audit_logs_actor ON audit_logs USING btree (actor, id);

CREATE INDEX audit_logs_created_at ON audit_logs USING btree (created_at);

CREATE INDEX audit_logs_resource ON audit_logs USING btree (resource_type, resource_id, id);

CREATE INDEX audit_logs_user_id ON audit_logs USING btree (user_id) WHERE (user_id IS NOT NULL);

CREATE TABLE events (
    id text NOT NULL,
    type text NOT NULL,
    subject text,
    data json NOT NULL,
    deliveries integer DEFAULT 0 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT events_id_check CHECK ((id ~ '^[A-Za-z0-9_-]{1,128}$'::text))
)
WITH (fillfactor='90');

ALTER TABLE ONLY events
    ADD CONSTRAINT events_pkey PRIMARY KEY (id);

CREATE INDEX events_created_at ON events USING btree (created_at, id);

CREATE INDEX events_type ON events USING btree (type, created_at, id);

CREATE TABLE job_queue (
    id text NOT NULL,
    queue_name text NOT NULL,
    kind text NOT NULL,
    payload jsonb NOT NULL,
    status text DEFAULT 'pending'::text NOT NULL,
    lane smallint DEFAULT 0 NOT NULL,
    key text,
    key_limit integer,
    attempts integer DEFAULT 0 NOT NULL,
    max_attempts integer NOT NULL,
    scheduled_at timestamp with time zone DEFAULT now() NOT NULL,
    lease_id text,
    leased_until timestamp with time zone,
    last_error text,
    dedupe_key text,
    processed_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT job_queue_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'running'::text, 'held'::text, 'dead'::text])))
)
WITH (fillfactor='70', autovacuum_vacuum_scale_factor='0.02', autovacuum_vacuum_threshold='1000', autovacuum_vacuum_cost_delay='0');

COMMENT ON COLUMN job_queue.lane IS '0 first attempts, 1 retries, 2 replays: a lower lane is claimed first';

COMMENT ON COLUMN job_queue.key IS 'jobs of one key share an in-flight limit, key_limit, e.g. the webhook endpoint';

COMMENT ON COLUMN job_queue.lease_id IS 'the claim that holds this job; a result is accepted from this claim only';

ALTER TABLE ONLY job_queue
    ADD CONSTRAINT job_queue_pkey PRIMARY KEY (id);

CREATE UNIQUE INDEX job_queue_dedupe ON job_queue USING btree (dedupe_key) WHERE ((dedupe_key IS NOT NULL) AND (status <> 'dead'::text));

CREATE INDEX job_queue_due ON job_queue USING btree (queue_name, lane, COALESCE(leased_until, scheduled_at)) WHERE (status = ANY (ARRAY['pending'::text, 'running'::text]));

CREATE INDEX job_queue_key ON job_queue USING btree (key) WHERE (key IS NOT NULL);

CREATE INDEX job_queue_status ON job_queue USING btree (queue_name, status, id);

CREATE TABLE schedules (
    name text NOT NULL,
    last_tick_at timestamp with time zone,
    last_job_id text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE ONLY schedules
    ADD CONSTRAINT schedules_pkey PRIMARY KEY (name);

CREATE TABLE schema_migrations (
    version integer NOT NULL,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE ONLY schema_migrations
    ADD CONSTRAINT schema_migrations_pkey PRIMARY KEY (version);

CREATE TABLE webhook_attempts (
    id text NOT NULL,
    delivery_id text NOT NULL,
    number integer NOT NULL,
    outcome text NOT NULL,
    reason text,
    detail text,
    response_status integer,
    response_body text,
    response_cut boolean DEFAULT false NOT NULL,
    peer text,
    started_at timestamp with time zone NOT NULL,
    duration_seconds double precision NOT NULL,
    CONSTRAINT webhook_attempts_outcome_check CHECK ((outcome = ANY (ARRAY['delivered'::text, 'failed'::text])))
);

ALTER TABLE ONLY webhook_attempts
    ADD CONSTRAINT webhook_attempts_pkey PRIMARY KEY (id);

CREATE INDEX webhook_attempts_delivery ON webhook_attempts USING btree (delivery_id, number);

ALTER TABLE ONLY webhook_attempts
    ADD CONSTRAINT webhook_attempts_delivery_id_fkey FOREIGN KEY (delivery_id) REFERENCES webhook_deliveries(id) ON DELETE CASCADE;

CREATE TABLE webhook_deliveries (
    id text NOT NULL,
    event_id text NOT NULL,
    webhook_id text NOT NULL,
    status text DEFAULT 'pending'::text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    next_attempt_at timestamp with time zone,
    finished_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT webhook_deliveries_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'delivered'::text, 'failed'::text, 'cancelled'::text])))
)
WITH (fillfactor='80', autovacuum_vacuum_scale_factor='0.05');

ALTER TABLE ONLY webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_pkey PRIMARY KEY (id);

CREATE INDEX webhook_deliveries_event ON webhook_deliveries USING btree (event_id);

CREATE INDEX webhook_deliveries_finished ON webhook_deliveries USING btree (finished_at) WHERE (finished_at IS NOT NULL);

CREATE INDEX webhook_deliveries_webhook ON webhook_deliveries USING btree (webhook_id, id);

ALTER TABLE ONLY webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_event_id_fkey FOREIGN KEY (event_id) REFERENCES events(id);

CREATE TABLE webhook_endpoints (
    id text NOT NULL,
    url text NOT NULL,
    description text DEFAULT ''::text NOT NULL,
    event_globs text[] NOT NULL,
    event_likes text[] NOT NULL,
    state text DEFAULT 'enabled'::text NOT NULL,
    sealed_secret bytea NOT NULL,
    headers jsonb DEFAULT '{}'::jsonb NOT NULL,
    max_in_flight integer NOT NULL,
    timeout_seconds double precision NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT webhook_endpoints_max_in_flight_check CHECK ((max_in_flight > 0)),
    CONSTRAINT webhook_endpoints_state_check CHECK ((state = ANY (ARRAY['enabled'::text, 'paused'::text]))),
    CONSTRAINT webhook_endpoints_timeout_seconds_check CHECK ((timeout_seconds > (0)::double precision))
);

COMMENT ON COLUMN webhook_endpoints.event_likes IS 'event_globs as LIKE patterns, so that fan-out is one indexable question';

COMMENT ON COLUMN webhook_endpoints.sealed_secret IS 'AES-256-GCM under a key derived from OGEL_SECRET';

ALTER TABLE ONLY webhook_endpoints
    ADD CONSTRAINT webhook_endpoints_pkey PRIMARY KEY (id);

SELECT pg_catalog.set_config('search_path', '', false);
CREATE FUNCTION public.listening_keys(globs text[]) RETURNS text[]
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $_$
SELECT coalesce(array_agg(DISTINCT CASE
  WHEN strpos(glob, '*') = 0 THEN '=' || glob
  WHEN length(substring(glob FROM '\.[^*]*$')) > length(substring(glob FROM '^[^*]*'))
    THEN '$' || substring(glob FROM '\.[^*]*$')
  ELSE '^' || substring(glob FROM '^[^*]*')
END), '{}')
FROM unnest(globs) AS glob
$_$;
CREATE FUNCTION public.next_version() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
  NEW.version := OLD.version + 1;
  RETURN NEW;
END
$$;
CREATE FUNCTION public.realtime_is_heard() RETURNS boolean
    LANGUAGE plpgsql
    AS $$
BEGIN
  PERFORM pg_advisory_xact_lock_shared(hashtext('ogel realtime heard')::bigint & 4294967295);
  RETURN EXISTS (SELECT FROM realtime_listening WHERE until > now());
END
$$;
CREATE FUNCTION public.webhook_listeners(types text[], keys text[]) RETURNS TABLE(type text, webhook_id text, filter text, ordered_by text)
    LANGUAGE plpgsql STABLE
    SET enable_seqscan TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
BEGIN
  RETURN QUERY
  SELECT t.type, w.id, w.filter::text, w.ordered_by
  FROM webhook_endpoints AS w JOIN unnest(types) AS t (type) ON t.type LIKE ANY (w.event_likes)
  WHERE w.state <> 'disabled' AND listening_keys(w.event_globs) && keys;
END
$$;
CREATE TABLE public.alerts (
    name text NOT NULL,
    subject text NOT NULL,
    level text NOT NULL,
    raised boolean NOT NULL,
    is_over boolean NOT NULL,
    streak integer NOT NULL,
    since timestamp with time zone NOT NULL,
    value double precision NOT NULL,
    threshold double precision NOT NULL,
    checked_by text NOT NULL
)
WITH (fillfactor='50');
COMMENT ON COLUMN public.alerts.is_over IS 'what the last check found, whether or not the alert is raised yet';
COMMENT ON COLUMN public.alerts.streak IS 'checks in a row that found this';
COMMENT ON COLUMN public.alerts.since IS 'raised: the first check that found it over; otherwise the first after that';
COMMENT ON COLUMN public.alerts.checked_by IS 'the tick of the last check: one that is run again counts once';
CREATE TABLE public.api_keys (
    id text NOT NULL,
    name text NOT NULL,
    key_hash bytea NOT NULL,
    hint text NOT NULL,
    scopes text[] NOT NULL,
    expires_at timestamp with time zone,
    revoked_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE public.audit_chain (
    name text NOT NULL,
    seq bigint NOT NULL,
    hash bytea NOT NULL,
    sealed bytea NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT audit_chain_name_check CHECK ((name = ANY (ARRAY['anchor'::text, 'head'::text])))
)
WITH (fillfactor='50');
COMMENT ON TABLE public.audit_chain IS 'ends of the chain of audit_logs: the last record purged, and the last one sealed';
COMMENT ON COLUMN public.audit_chain.sealed IS 'seq and hash again, AES-256-GCM under a key derived from OGEL_SECRET';
CREATE TABLE public.audit_logs (
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
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    chain_seq bigint,
    hash bytea
);
COMMENT ON COLUMN public.audit_logs.chain_seq IS 'place in the chain; null: not sealed yet';
COMMENT ON COLUMN public.audit_logs.hash IS 'SHA-256 of the hash before it and of the record, see features/audit/chain.py';
CREATE TABLE public.backups (
    id text NOT NULL,
    status text DEFAULT 'running'::text NOT NULL,
    scheduled boolean DEFAULT false NOT NULL,
    note text,
    run text,
    tables integer DEFAULT 0 NOT NULL,
    rows bigint DEFAULT 0 NOT NULL,
    bytes bigint DEFAULT 0 NOT NULL,
    expected_bytes bigint,
    size bigint DEFAULT 0 NOT NULL,
    error text,
    verification text,
    verification_error text,
    verified_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    finished_at timestamp with time zone,
    CONSTRAINT backups_status_check CHECK ((status = ANY (ARRAY['running'::text, 'complete'::text, 'failed'::text]))),
    CONSTRAINT backups_verification_check CHECK ((verification = ANY (ARRAY['running'::text, 'passed'::text, 'failed'::text])))
)
WITH (fillfactor='50');
COMMENT ON COLUMN public.backups.run IS 'the dump that may go on; objects of others under this backup are left over';
COMMENT ON COLUMN public.backups.bytes IS 'of rows as they were copied, of about expected_bytes; size: as they are stored';
CREATE TABLE public.devices (
    id text NOT NULL,
    provider text NOT NULL,
    service text NOT NULL,
    address_hash bytea NOT NULL,
    sealed bytea NOT NULL,
    subject text,
    disabled_at timestamp with time zone,
    disabled_reason text,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    updated_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT devices_check CHECK (((disabled_at IS NULL) = (disabled_reason IS NULL))),
    CONSTRAINT devices_provider_check CHECK ((provider = ANY (ARRAY['fcm'::text, 'webpush'::text])))
)
WITH (fillfactor='80');
COMMENT ON COLUMN public.devices.service IS 'fcm, or the origin of the push service; messages to one service share a job key';
COMMENT ON COLUMN public.devices.sealed IS 'token or subscription, AES-256-GCM under a key derived from OGEL_SECRET';
COMMENT ON COLUMN public.devices.subject IS 'whose it is, in the words of the caller';
COMMENT ON COLUMN public.devices.disabled_at IS 'when its provider said that it is gone; null: it is enabled';
CREATE TABLE public.event_ids (
    id text NOT NULL COLLATE pg_catalog."C",
    deliveries integer NOT NULL
);
COMMENT ON TABLE public.event_ids IS 'ids of events that retention has deleted, and what publishing them answered';
CREATE TABLE public.events (
    id text NOT NULL,
    type text NOT NULL,
    subject text,
    data json NOT NULL,
    deliveries integer DEFAULT 0 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT events_id_check CHECK ((id ~ '^[A-Za-z0-9_-]{1,128}$'::text))
)
WITH (fillfactor='90');
CREATE TABLE public.health_checks (
    checked_at timestamp with time zone DEFAULT now() NOT NULL,
    status text NOT NULL,
    checks jsonb NOT NULL,
    CONSTRAINT health_checks_status_check CHECK ((status = ANY (ARRAY['healthy'::text, 'degraded'::text, 'unhealthy'::text])))
);
CREATE TABLE public.job_keys (
    key text NOT NULL COLLATE pg_catalog."C",
    key_limit integer DEFAULT 64 NOT NULL,
    held boolean DEFAULT false NOT NULL,
    resume_at timestamp with time zone,
    probe_at timestamp with time zone,
    probe_seconds double precision,
    ramp_from timestamp with time zone,
    rate_per_second double precision,
    rate_burst integer,
    spent_until timestamp with time zone,
    ramp_until timestamp with time zone,
    CONSTRAINT job_keys_check CHECK (((probe_at IS NULL) = (probe_seconds IS NULL))),
    CONSTRAINT job_keys_check1 CHECK (((rate_per_second IS NULL) = (rate_burst IS NULL))),
    CONSTRAINT job_keys_key_limit_check CHECK ((key_limit > 0)),
    CONSTRAINT job_keys_probe_seconds_check CHECK ((probe_seconds > (0)::double precision)),
    CONSTRAINT job_keys_rate_burst_check CHECK ((rate_burst > 0)),
    CONSTRAINT job_keys_rate_per_second_check CHECK ((rate_per_second > (0)::double precision))
)
WITH (fillfactor='50');
COMMENT ON COLUMN public.job_keys.key_limit IS 'most jobs in flight at once, per worker process';
COMMENT ON COLUMN public.job_keys.held IS 'paused: nothing of this key is claimed';
COMMENT ON COLUMN public.job_keys.resume_at IS 'slowed down: nothing before this time';
COMMENT ON COLUMN public.job_keys.probe_at IS 'the breaker is open: one job at this time, and every probe_seconds after it';
COMMENT ON COLUMN public.job_keys.ramp_from IS 'the breaker closed then: claims grow from a trickle to full speed';
COMMENT ON COLUMN public.job_keys.spent_until IS 'the rate limit''s theoretical arrival time (generic cell rate algorithm)';
COMMENT ON COLUMN public.job_keys.ramp_until IS 'the ramp ends then, and nothing holds the key back';
CREATE TABLE public.job_queue (
    id text NOT NULL,
    queue_name text NOT NULL,
    kind text NOT NULL,
    payload jsonb NOT NULL,
    status text DEFAULT 'pending'::text NOT NULL,
    lane smallint DEFAULT 0 NOT NULL,
    key text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C",
    attempts integer DEFAULT 0 NOT NULL,
    max_attempts integer NOT NULL,
    scheduled_at timestamp with time zone DEFAULT now() NOT NULL,
    lease_id text,
    leased_until timestamp with time zone,
    last_error text,
    dedupe_key text,
    processed_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    order_key text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C",
    seq bigint NOT NULL,
    claimed_at timestamp with time zone,
    lost_claims timestamp with time zone[],
    cancelled_at timestamp with time zone,
    progress json,
    keep_result_seconds double precision,
    CONSTRAINT job_queue_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'running'::text, 'dead'::text])))
)
WITH (fillfactor='70', autovacuum_vacuum_scale_factor='0.02', autovacuum_vacuum_threshold='1000', autovacuum_vacuum_cost_delay='0');
COMMENT ON COLUMN public.job_queue.lane IS '0 first attempts, 1 retries, 2 replays: a lower lane is claimed first';
COMMENT ON COLUMN public.job_queue.key IS 'jobs of one key share what job_keys says, e.g. the webhook endpoint; empty: none';
COMMENT ON COLUMN public.job_queue.lease_id IS 'the claim that holds this job; a result is accepted from this claim only';
COMMENT ON COLUMN public.job_queue.order_key IS 'jobs of one key and order_key run one at a time, in the order of seq; empty: in any';
COMMENT ON COLUMN public.job_queue.claimed_at IS 'when the present, or the last, claim began';
COMMENT ON COLUMN public.job_queue.lost_claims IS 'when claims began that never said how they ended, since the last that did';
COMMENT ON COLUMN public.job_queue.cancelled_at IS 'somebody wants it to end: its worker stops it, and no other begins it';
COMMENT ON COLUMN public.job_queue.progress IS '{"done", "total", "note"} as its kind reports it';
COMMENT ON COLUMN public.job_queue.keep_result_seconds IS 'how long job_results keeps its end; null: not at all';
ALTER TABLE public.job_queue ALTER COLUMN seq ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.job_queue_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.job_results (
    id text NOT NULL,
    queue_name text NOT NULL,
    kind text NOT NULL,
    status text NOT NULL,
    attempts integer NOT NULL,
    result json,
    created_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT job_results_status_check CHECK ((status = ANY (ARRAY['done'::text, 'cancelled'::text])))
);
CREATE TABLE public.mail_attempts (
    id bigint NOT NULL,
    message_id text NOT NULL COLLATE pg_catalog."C",
    provider text,
    started_at timestamp with time zone NOT NULL,
    seconds double precision,
    error text
);
COMMENT ON COLUMN public.mail_attempts.provider IS 'null: a worker began this attempt and disappeared';
ALTER TABLE public.mail_attempts ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.mail_attempts_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.mail_messages (
    id text NOT NULL COLLATE pg_catalog."C",
    request_id text NOT NULL,
    recipient text NOT NULL,
    address text NOT NULL COLLATE pg_catalog."C",
    status text DEFAULT 'queued'::text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    provider text,
    provider_id text,
    error text,
    queued_at timestamp with time zone DEFAULT now() NOT NULL,
    next_attempt_at timestamp with time zone,
    finished_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT mail_messages_status_check CHECK ((status = ANY (ARRAY['queued'::text, 'sent'::text, 'failed'::text, 'suppressed'::text])))
)
WITH (fillfactor='80');
COMMENT ON COLUMN public.mail_messages.address IS 'of the recipient, in the one way to write it that suppressions use';
COMMENT ON COLUMN public.mail_messages.queued_at IS 'when it was last asked for: at first, or by a retry';
CREATE TABLE public.mail_requests (
    id text NOT NULL,
    idempotency_key text,
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
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT mail_requests_check CHECK (((body_text IS NOT NULL) OR (body_html IS NOT NULL)))
);
COMMENT ON COLUMN public.mail_requests.fingerprint IS 'of the body asked with: another body under the same key is refused';
COMMENT ON COLUMN public.mail_requests.answer IS 'what was answered, for the same key again';
CREATE TABLE public.mail_suppressions (
    address text NOT NULL COLLATE pg_catalog."C",
    reason text NOT NULL,
    detail text,
    message_id text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT mail_suppressions_reason_check CHECK ((reason = ANY (ARRAY['bounce'::text, 'complaint'::text, 'unsubscribe'::text, 'manual'::text])))
);
CREATE TABLE public.message_attempts (
    id text NOT NULL,
    message_id text NOT NULL,
    provider text,
    outcome text NOT NULL,
    error text,
    started_at timestamp with time zone NOT NULL,
    duration_seconds real,
    CONSTRAINT message_attempts_outcome_check CHECK ((outcome = ANY (ARRAY['sent'::text, 'failed'::text, 'unknown'::text])))
);
COMMENT ON COLUMN public.message_attempts.outcome IS 'unknown: its worker disappeared before it could say, and nobody knows of which provider';
CREATE TABLE public.message_requests (
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    answer json NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);
COMMENT ON COLUMN public.message_requests.fingerprint IS 'SHA-256 of the request; another one with the same key is refused';
CREATE TABLE public.messages (
    id text NOT NULL,
    channel text NOT NULL,
    recipient text NOT NULL,
    content json NOT NULL,
    status text NOT NULL,
    provider text,
    provider_message_id text,
    error text,
    attempts integer DEFAULT 0 NOT NULL,
    lifetime_seconds integer NOT NULL,
    queued_at timestamp with time zone DEFAULT now() NOT NULL,
    next_attempt_at timestamp with time zone,
    finished_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT messages_channel_check CHECK ((channel = ANY (ARRAY['sms'::text, 'push'::text]))),
    CONSTRAINT messages_check CHECK (((finished_at IS NULL) = (status = 'queued'::text))),
    CONSTRAINT messages_status_check CHECK ((status = ANY (ARRAY['queued'::text, 'sent'::text, 'failed'::text])))
)
WITH (fillfactor='70');
COMMENT ON COLUMN public.messages.recipient IS 'a number (E.164), or the id of a device';
COMMENT ON COLUMN public.messages.lifetime_seconds IS 'counted from queued_at: what is not sent by then has failed';
COMMENT ON COLUMN public.messages.queued_at IS 'when it was accepted, or retried';
CREATE TABLE public.paused_queues (
    name text NOT NULL,
    paused_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE public.platform_database_health (
    database_id text NOT NULL,
    state text NOT NULL,
    since timestamp with time zone NOT NULL,
    checked_at timestamp with time zone NOT NULL,
    error text,
    failures integer DEFAULT 0 NOT NULL,
    latency_seconds double precision,
    server_version text,
    size_bytes bigint,
    stats json,
    stats_error text,
    measured_at timestamp with time zone,
    CONSTRAINT platform_database_health_state_check CHECK ((state = ANY (ARRAY['reachable'::text, 'unreachable'::text])))
)
WITH (fillfactor='50');
COMMENT ON COLUMN public.platform_database_health.failures IS 'checks in a row that did not reach it';
COMMENT ON COLUMN public.platform_database_health.size_bytes IS 'out of the statistics; of redis the memory it uses';
COMMENT ON COLUMN public.platform_database_health.measured_at IS 'when stats were; they outlive an outage';
CREATE TABLE public.platform_database_migration_files (
    run_id text NOT NULL,
    place integer NOT NULL,
    name text NOT NULL,
    checksum text NOT NULL,
    sql text
);
COMMENT ON COLUMN public.platform_database_migration_files.sql IS 'forgotten when nothing can begin the run again';
CREATE TABLE public.platform_database_migrations (
    id text NOT NULL,
    database_id text NOT NULL,
    status text DEFAULT 'running'::text NOT NULL,
    is_cancelling boolean DEFAULT false NOT NULL,
    total integer NOT NULL,
    done integer DEFAULT 0 NOT NULL,
    before integer,
    current_file text,
    waiting text,
    error jsonb,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    finished_at timestamp with time zone,
    CONSTRAINT platform_database_migrations_status_check CHECK ((status = ANY (ARRAY['running'::text, 'succeeded'::text, 'failed'::text, 'cancelled'::text])))
)
WITH (fillfactor='50');
COMMENT ON COLUMN public.platform_database_migrations.done IS 'files that are applied, by this run or before it';
COMMENT ON COLUMN public.platform_database_migrations.before IS 'files that were applied when it began';
COMMENT ON COLUMN public.platform_database_migrations.waiting IS 'why it does not go on for now';
CREATE TABLE public.platform_databases (
    id text NOT NULL,
    name text NOT NULL,
    type text NOT NULL,
    host text NOT NULL,
    port integer NOT NULL,
    database text NOT NULL,
    username text,
    sealed_password bytea,
    password_hint text,
    ssl_mode text NOT NULL,
    auth_source text,
    labels jsonb DEFAULT '{}'::jsonb NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT platform_databases_port_check CHECK (((port >= 1) AND (port <= 65535))),
    CONSTRAINT platform_databases_ssl_mode_check CHECK ((ssl_mode = ANY (ARRAY['disable'::text, 'prefer'::text, 'require'::text, 'verify-full'::text]))),
    CONSTRAINT platform_databases_type_check CHECK ((type = ANY (ARRAY['postgresql'::text, 'mongodb'::text, 'redis'::text])))
);
COMMENT ON COLUMN public.platform_databases.auth_source IS 'of mongodb: the database that knows the user';
COMMENT ON COLUMN public.platform_databases.version IS 'changes with where it is and who we are to it; checks of an earlier one do not count';
CREATE TABLE public.processes (
    id text NOT NULL,
    name text NOT NULL,
    flush integer NOT NULL,
    memory_bytes bigint NOT NULL,
    cpu_seconds double precision NOT NULL,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    seen_at timestamp with time zone DEFAULT now() NOT NULL
)
WITH (fillfactor='50');
COMMENT ON COLUMN public.processes.name IS 'what it does and where: "worker-webhooks host:pid"';
COMMENT ON COLUMN public.processes.cpu_seconds IS 'user and system, since it started';
CREATE TABLE public.purge_runs (
    name text NOT NULL,
    job_id text NOT NULL,
    before timestamp with time zone NOT NULL,
    total bigint NOT NULL,
    deleted bigint DEFAULT 0 NOT NULL,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    finished_at timestamp with time zone,
    error text,
    total_is_least boolean DEFAULT false NOT NULL,
    cursor json
)
WITH (fillfactor='50');
COMMENT ON COLUMN public.purge_runs.before IS 'what is older goes';
COMMENT ON COLUMN public.purge_runs.total IS 'as many there were when it began';
COMMENT ON COLUMN public.purge_runs.total_is_least IS 'there were that many or more: they were counted no further';
COMMENT ON COLUMN public.purge_runs.cursor IS '[time, id] of the last row that was looked at; null: from the beginning';
CREATE TABLE public.realtime_listening (
    process text NOT NULL,
    until timestamp with time zone NOT NULL
);
COMMENT ON COLUMN public.realtime_listening.until IS 'somebody listens to it, or did a while ago; past it, nobody does, or it died';
CREATE TABLE public.resource_samples (
    name text NOT NULL,
    sampled_at timestamp with time zone NOT NULL,
    labels jsonb NOT NULL,
    value double precision NOT NULL
);
CREATE TABLE public.schedule_changes (
    version bigint NOT NULL
);
CREATE TABLE public.schedules (
    name text NOT NULL,
    last_tick_at timestamp with time zone,
    last_job_id text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    id text,
    cron text,
    timezone text DEFAULT 'UTC'::text NOT NULL,
    description text DEFAULT ''::text NOT NULL,
    enabled boolean DEFAULT true NOT NULL,
    event_type text,
    event_data json,
    event_subject text,
    job_kind text,
    job_queue text,
    job_payload jsonb,
    counted_from timestamp with time zone,
    next_tick_at timestamp with time zone,
    last_late_seconds double precision,
    last_event_id text,
    last_error text,
    CONSTRAINT schedules_of_users CHECK (((id IS NULL) OR ((cron IS NOT NULL) AND ((event_type IS NULL) <> (job_kind IS NULL)))))
)
WITH (fillfactor='70');
COMMENT ON COLUMN public.schedules.id IS 'of a schedule that a user made; NULL: a feature declares it';
COMMENT ON COLUMN public.schedules.cron IS 'of a declared one: what next_tick_at was last counted by';
COMMENT ON COLUMN public.schedules.job_queue IS 'where its job is shown as dead once no feature performs job_kind any more';
COMMENT ON COLUMN public.schedules.counted_from IS 'ticks up to here are not run: it was made, changed or resumed then';
CREATE TABLE public.schema_migrations (
    version integer NOT NULL,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE public.usage (
    bucket text NOT NULL,
    at timestamp with time zone NOT NULL,
    metric text NOT NULL,
    labels jsonb NOT NULL,
    value bigint NOT NULL,
    CONSTRAINT usage_bucket_check CHECK ((bucket = ANY (ARRAY['hour'::text, 'day'::text])))
)
WITH (fillfactor='70');
COMMENT ON COLUMN public.usage.at IS 'when the hour or the day began, in UTC';
CREATE TABLE public.usage_deltas (
    id bigint NOT NULL,
    process text NOT NULL,
    metric text NOT NULL,
    labels jsonb NOT NULL,
    value bigint NOT NULL,
    counted_at timestamp with time zone DEFAULT now() NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0.0', autovacuum_vacuum_threshold='5000');
ALTER TABLE public.usage_deltas ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.usage_deltas_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.webhook_attempts (
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
    duration_seconds double precision,
    request_headers json,
    response_headers json,
    dns_seconds real,
    connect_seconds real,
    tls_seconds real,
    first_byte_seconds real,
    recorded_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT webhook_attempts_outcome_check CHECK ((outcome = ANY (ARRAY['delivered'::text, 'failed'::text, 'unknown'::text])))
);
COMMENT ON COLUMN public.webhook_attempts.recorded_at IS 'when it was written down, or told late how it had ended';
CREATE TABLE public.webhook_deliveries (
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
CREATE TABLE public.webhook_endpoints (
    id text NOT NULL,
    url text NOT NULL,
    description text DEFAULT ''::text NOT NULL,
    event_globs text[] NOT NULL,
    event_likes text[] NOT NULL,
    state text DEFAULT 'enabled'::text NOT NULL,
    headers jsonb DEFAULT '{}'::jsonb NOT NULL,
    max_in_flight integer NOT NULL,
    timeout_seconds double precision NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    compatibility text,
    filter json,
    payload text DEFAULT 'full'::text NOT NULL,
    ordered_by text,
    rate_limit jsonb,
    sealed_headers bytea,
    header_hints json DEFAULT '{}'::json NOT NULL,
    disabled_reason text,
    version integer DEFAULT 1 NOT NULL,
    CONSTRAINT webhook_endpoints_check CHECK (((state = 'disabled'::text) = (disabled_reason IS NOT NULL))),
    CONSTRAINT webhook_endpoints_compatibility_check CHECK ((compatibility = 'appwrite'::text)),
    CONSTRAINT webhook_endpoints_disabled_reason_check CHECK ((disabled_reason = ANY (ARRAY['failing'::text, 'gone'::text]))),
    CONSTRAINT webhook_endpoints_max_in_flight_check CHECK ((max_in_flight > 0)),
    CONSTRAINT webhook_endpoints_ordered_by_check CHECK ((ordered_by = 'subject'::text)),
    CONSTRAINT webhook_endpoints_payload_check CHECK ((payload = ANY (ARRAY['full'::text, 'thin'::text]))),
    CONSTRAINT webhook_endpoints_state_check CHECK ((state = ANY (ARRAY['enabled'::text, 'paused'::text, 'disabled'::text]))),
    CONSTRAINT webhook_endpoints_timeout_seconds_check CHECK ((timeout_seconds > (0)::double precision))
);
COMMENT ON COLUMN public.webhook_endpoints.event_likes IS 'event_globs as LIKE patterns, so that fan-out is one indexable question';
COMMENT ON COLUMN public.webhook_endpoints.headers IS 'plain headers of the version before, until they are sealed; then empty';
COMMENT ON COLUMN public.webhook_endpoints.compatibility IS 'whose headers are sent besides those of Standard Webhooks';
COMMENT ON COLUMN public.webhook_endpoints.filter IS 'conditions on the event, see features/webhooks/fanout/filter.py; null: none';
COMMENT ON COLUMN public.webhook_endpoints.ordered_by IS 'deliveries of one subject are sent one at a time, in order; null: no order';
COMMENT ON COLUMN public.webhook_endpoints.rate_limit IS '{"per_second": …, "burst": …}; job_keys holds what claims obey';
COMMENT ON COLUMN public.webhook_endpoints.sealed_headers IS 'JSON object, AES-256-GCM under a key derived from OGEL_SECRET; null: none';
COMMENT ON COLUMN public.webhook_endpoints.header_hints IS 'the same names with what may be shown of their values';
CREATE TABLE public.webhook_health (
    webhook_id text NOT NULL,
    failing_since timestamp with time zone DEFAULT now() NOT NULL,
    failures integer NOT NULL,
    failures_in_row integer NOT NULL,
    last_error text NOT NULL,
    opened_at timestamp with time zone,
    warned smallint DEFAULT 0 NOT NULL
)
WITH (fillfactor='50');
COMMENT ON COLUMN public.webhook_health.failing_since IS 'the first failure after the last success';
COMMENT ON COLUMN public.webhook_health.failures IS 'since then, of any sort';
COMMENT ON COLUMN public.webhook_health.failures_in_row IS 'without any answer that shows the receiver alive; these open the breaker';
COMMENT ON COLUMN public.webhook_health.opened_at IS 'when the breaker opened; null: it is closed';
COMMENT ON COLUMN public.webhook_health.warned IS 'the percentage of the way to being disabled that was told last';
CREATE TABLE public.webhook_replays (
    id text NOT NULL,
    webhook_id text NOT NULL,
    since timestamp with time zone NOT NULL,
    until timestamp with time zone NOT NULL,
    choice text NOT NULL,
    event_globs text[] NOT NULL,
    event_likes text[] NOT NULL,
    per_second integer,
    status text DEFAULT 'running'::text NOT NULL,
    step integer DEFAULT 0 NOT NULL,
    waits integer DEFAULT 0 NOT NULL,
    cursor_at timestamp with time zone NOT NULL,
    cursor_id text NOT NULL,
    replayed bigint DEFAULT 0 NOT NULL,
    skipped bigint DEFAULT 0 NOT NULL,
    counted_at timestamp with time zone NOT NULL,
    counted_id text NOT NULL,
    counted bigint DEFAULT 0 NOT NULL,
    is_counted boolean DEFAULT false NOT NULL,
    error text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    finished_at timestamp with time zone,
    CONSTRAINT webhook_replays_choice_check CHECK ((choice = ANY (ARRAY['failed'::text, 'missing'::text, 'all'::text]))),
    CONSTRAINT webhook_replays_per_second_check CHECK ((per_second > 0)),
    CONSTRAINT webhook_replays_status_check CHECK ((status = ANY (ARRAY['running'::text, 'paused'::text, 'cancelled'::text, 'completed'::text])))
)
WITH (fillfactor='50');
COMMENT ON COLUMN public.webhook_replays.step IS 'the job that may act; one of an earlier step has nothing to do';
COMMENT ON COLUMN public.webhook_replays.waits IS 'steps in a row that found too much waiting for the endpoint';
COMMENT ON COLUMN public.webhook_replays.cursor_id IS 'the last event looked at, or delivery where only those are walked (failed)';
COMMENT ON COLUMN public.webhook_replays.counted_id IS 'like cursor_id, of the count, which goes ahead of the cursor';
CREATE TABLE public.webhook_secrets (
    id text NOT NULL,
    webhook_id text NOT NULL,
    signing text NOT NULL,
    sealed bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone,
    CONSTRAINT webhook_secrets_signing_check CHECK ((signing = ANY (ARRAY['v1'::text, 'v1a'::text])))
);
COMMENT ON COLUMN public.webhook_secrets.signing IS 'v1: an HMAC-SHA256 key; v1a: an Ed25519 seed and its public key';
COMMENT ON COLUMN public.webhook_secrets.sealed IS 'AES-256-GCM under a key derived from OGEL_SECRET, whose id it begins with';
COMMENT ON COLUMN public.webhook_secrets.expires_at IS 'it signs until then; null: until it is replaced';
INSERT INTO public.api_keys VALUES
	('key_01m8hq5ywffqnbjg349479a71q', 'former', '\x35988dc7902ec73ed553d24a4a292d42e04e10b9a72ad4c583b95f90a9c18ac1', 'ogel_cOFb', '{events:*}', NULL, NULL, '2026-11-28 18:37:47.817298+00');
INSERT INTO public.audit_logs VALUES
	('aud_01m8hq5v7qe1bsvf3ctrgkg2x1', NULL, 'admin', 'webhook.create', 'webhook', 'wh_01m8hq5v5tebqrny6znpmh47kr', '{"url": "http://127.0.0.1:9/hook", "events": ["order.*"]}', '127.0.0.1', NULL, 'req_01m8hq5v5fe41aphqsgxwsfq3p', '2026-11-28 18:37:43.986987+00', NULL, NULL),
	('aud_01m8hq5va8e1wb5t3369gekshm', NULL, 'admin', 'webhook.update', 'webhook', 'wh_01m8hq5v5tebqrny6znpmh47kr', '{"changed": ["state"]}', '127.0.0.1', NULL, 'req_01m8hq5v92f8xst92esge5hhr3', '2026-11-28 18:37:44.101128+00', NULL, NULL),
	('aud_01m8hq5vb8fk981wecmksmxv8v', NULL, 'admin', 'event.publish', 'event', 'former-0', '{}', '127.0.0.1', NULL, 'req_01m8hq5vb7e9trj7qydpqhc1fq', '2026-11-28 18:37:44.178995+00', NULL, NULL),
	('aud_01m8hq5vb8fq9vytk5kzzw16mq', NULL, 'admin', 'event.publish', 'event', 'former-1', '{}', '127.0.0.1', NULL, 'req_01m8hq5vb7e9trj7qydpqhc1fq', '2026-11-28 18:37:44.178995+00', NULL, NULL),
	('aud_01m8hq5vb8frtsq331f79kkxfb', NULL, 'admin', 'event.publish', 'event', 'former-2', '{}', '127.0.0.1', NULL, 'req_01m8hq5vb7e9trj7qydpqhc1fq', '2026-11-28 18:37:44.178995+00', NULL, NULL),
	('aud_01m8hq5vfmfy4tac2sym76xfdm', NULL, 'admin', 'schedule.create', 'schedule', 'nightly-report', '{"id": "sch_01m8hq5veyf1wv7wz0nvmketzs", "job": null, "cron": "0 3 1 1 *", "event": "report.due", "timezone": "UTC"}', '127.0.0.1', NULL, 'req_01m8hq5veweq4tg902p4dbg3ry', '2026-11-28 18:37:44.287046+00', NULL, NULL),
	('aud_01m8hq5vkbfb3tp4sycj0v10ky', NULL, 'admin', 'database.create', 'database', 'dbs_01m8hq5vhef23ak8ed63srym5e', '{"host": "127.0.0.1", "name": "orders", "type": "postgresql", "database": "orders"}', '127.0.0.1', NULL, 'req_01m8hq5vheeha97rmm383kajvt', '2026-11-28 18:37:44.368347+00', NULL, NULL),
	('aud_01m8hq5vmwfhxads5hq0j1n0zm', NULL, 'admin', 'backup.create', 'backup', 'bak_01m8hq5vm8egzscvfb1xampjgf', '{}', '127.0.0.1', NULL, 'req_01m8hq5vm8e6nsbbgsb86wkgwe', '2026-11-28 18:37:44.465878+00', NULL, NULL),
	('aud_01m8hq5w4fe36rp8w0t77zka74', NULL, 'admin', 'event.publish', 'event', 'former-later', '{}', '127.0.0.1', NULL, 'req_01m8hq5w4efj2rn23cgw8h3q6d', '2026-11-28 18:37:44.978934+00', NULL, NULL),
	('aud_01m8hq5wspfvpbbx4rwd3qkvay', NULL, 'admin', 'key.use', 'key', 'admin', '{}', '127.0.0.1', NULL, 'req_01m8hq5v5fe41aphqsgxwsfq3p', '2026-11-28 18:37:45.653931+00', NULL, NULL),
	('aud_01m8hq5yxbeedsnaynh4s6pky5', NULL, 'cli:root', 'key.create', 'key', 'key_01m8hq5ywffqnbjg349479a71q', '{"name": "former", "scopes": ["events:*"]}', NULL, NULL, 'req_01m8hq5ywffnbv5yvazz7qsaps', '2026-11-28 18:37:47.817298+00', NULL, NULL);
INSERT INTO public.backups VALUES
	('bak_01m8hq5vm8egzscvfb1xampjgf', 'complete', false, 'of the version before', 'run_01m8hq5vp3ev9smh4968vrw68b', 35, 44, 8282, 8282, 3248, NULL, NULL, NULL, NULL, '2026-11-28 18:37:44.465878+00', '2026-11-28 18:37:44.892175+00');
INSERT INTO public.events VALUES
	('former-2', 'order.created', 'order-1', '{"n": 2}', 1, '2026-11-28 18:37:44.16857+00'),
	('former-0', 'order.created', 'order-1', '{"n": 0}', 1, '2026-11-28 18:37:44.16857+00'),
	('former-1', 'order.created', 'order-1', '{"n": 1}', 1, '2026-11-28 18:37:44.16857+00'),
	('evt_01m8hq5w2bec49g6dje8tg8jkc', 'backup.completed', 'bak_01m8hq5vm8egzscvfb1xampjgf', '{"backup":"bak_01m8hq5vm8egzscvfb1xampjgf","taken_at":"2026-11-28T18:37:44.549330Z","tables":35,"rows":44,"size":3248}', 0, '2026-11-28 18:37:44.907222+00'),
	('former-later', 'order.created', NULL, '{"n": 3}', 1, '2026-11-28 18:37:44.974936+00'),
	('evt_01m8hq5xnyfpns0v178aqfqh2s', 'database.unreachable', 'dbs_01m8hq5vhef23ak8ed63srym5e', '{"database":"dbs_01m8hq5vhef23ak8ed63srym5e","name":"orders"}', 0, '2026-11-28 18:37:46.558876+00');
INSERT INTO public.job_keys VALUES
	('wh_01m8hq5v5tebqrny6znpmh47kr', 64, true, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	('databases.migrate:dbs_01m8hq5vhef23ak8ed63srym5e', 1, false, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	('databases.check:dbs_01m8hq5vhef23ak8ed63srym5e', 1, false, '2026-11-28 18:38:01.547372+00', NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.job_queue OVERRIDING SYSTEM VALUE VALUES
	('job_01m8hq5vbgfkeshgqc4dfhhz4y', 'webhooks', 'webhooks.deliver', '{"delivery": "dlv_01m8hq5vbgfkeshgqc4dfhhz4y"}', 'pending', 0, 'wh_01m8hq5v5tebqrny6znpmh47kr', 0, 10, '2026-11-28 18:37:44.178995+00', NULL, NULL, NULL, NULL, NULL, '2026-11-28 18:37:44.178995+00', '', 1, NULL, NULL, NULL, NULL, NULL),
	('job_01m8hq5vbgfnd8m6n2apf2yqr8', 'webhooks', 'webhooks.deliver', '{"delivery": "dlv_01m8hq5vbgfnd8m6n2apf2yqr8"}', 'pending', 0, 'wh_01m8hq5v5tebqrny6znpmh47kr', 0, 10, '2026-11-28 18:37:44.178995+00', NULL, NULL, NULL, NULL, NULL, '2026-11-28 18:37:44.178995+00', '', 2, NULL, NULL, NULL, NULL, NULL),
	('job_01m8hq5vbgfp8bqcv9jgc9a9c5', 'webhooks', 'webhooks.deliver', '{"delivery": "dlv_01m8hq5vbgfp8bqcv9jgc9a9c5"}', 'pending', 0, 'wh_01m8hq5v5tebqrny6znpmh47kr', 0, 10, '2026-11-28 18:37:44.178995+00', NULL, NULL, NULL, NULL, NULL, '2026-11-28 18:37:44.178995+00', '', 3, NULL, NULL, NULL, NULL, NULL),
	('job_01m8hq5w4hf2e8qp3x728h1202', 'webhooks', 'webhooks.deliver', '{"delivery": "dlv_01m8hq5w4hf2e8qp3x728h1202"}', 'pending', 0, 'wh_01m8hq5v5tebqrny6znpmh47kr', 0, 10, '2026-11-28 18:37:44.978934+00', NULL, NULL, NULL, NULL, NULL, '2026-11-28 18:37:44.978934+00', '', 6, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.platform_database_health VALUES
	('dbs_01m8hq5vhef23ak8ed63srym5e', 'unreachable', '2026-11-28 18:37:46.547372+00', '2026-11-28 18:37:46.547372+00', 'connection failed: connection to server at "127.0.0.1", port 9 failed: Connection refused Is the server running on that host and accepting TCP/IP connections?', 1, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.platform_databases VALUES
	('dbs_01m8hq5vhef23ak8ed63srym5e', 'orders', 'postgresql', '127.0.0.1', 9, 'orders', 'u', '\x024ea491005288d84220f77ec5576843bff7a5e4b45f024d166e15ee2f588476d298c818aa72cb27eabbd5', '****', 'prefer', NULL, '{}', 1, '2026-11-28 18:37:44.368347+00', '2026-11-28 18:37:44.368347+00');
INSERT INTO public.processes VALUES
	('proc_01m8hq5g51fw4sg68xxt784yes', 'api,worker,scheduler,realtime vm:21487', 1, 87261184, 2.1523280000000002, '2026-11-28 18:37:49.241877+00', '2026-11-28 18:37:49.241877+00');
INSERT INTO public.schedule_changes VALUES
	(1);
INSERT INTO public.schedules VALUES
	('audit.seal', NULL, NULL, '2026-11-28 18:37:43.760179+00', '2026-11-28 18:37:43.760179+00', NULL, '* * * * *', 'UTC', '', true, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-28 18:37:43.760179+00', '2026-11-28 18:38:00+00', NULL, NULL, NULL),
	('databases.check_all', NULL, NULL, '2026-11-28 18:37:43.892056+00', '2026-11-28 18:37:43.892056+00', NULL, '*/5 * * * *', 'UTC', '', true, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-28 18:37:43.892056+00', '2026-11-28 18:40:00+00', NULL, NULL, NULL),
	('stats.roll_up', NULL, NULL, '2026-11-28 18:37:44.027319+00', '2026-11-28 18:37:44.027319+00', NULL, '* * * * *', 'UTC', '', true, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-28 18:37:44.027319+00', '2026-11-28 18:38:00+00', NULL, NULL, NULL),
	('stats.resources', NULL, NULL, '2026-11-28 18:37:44.091116+00', '2026-11-28 18:37:44.091116+00', NULL, '*/5 * * * *', 'UTC', '', true, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-28 18:37:44.091116+00', '2026-11-28 18:40:00+00', NULL, NULL, NULL),
	('health.check', NULL, NULL, '2026-11-28 18:37:44.10143+00', '2026-11-28 18:37:44.10143+00', NULL, '* * * * *', 'UTC', '', true, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-28 18:37:44.10143+00', '2026-11-28 18:38:00+00', NULL, NULL, NULL),
	('alerts.check', NULL, NULL, '2026-11-28 18:37:44.123745+00', '2026-11-28 18:37:44.123745+00', NULL, '* * * * *', 'UTC', '', true, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-28 18:37:44.123745+00', '2026-11-28 18:38:00+00', NULL, NULL, NULL),
	('cleanup.audit_logs', NULL, NULL, '2026-11-28 18:37:44.148363+00', '2026-11-28 18:37:44.148363+00', NULL, '0 2 * * *', 'UTC', '', true, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-28 18:37:44.148363+00', '2026-11-29 02:00:00+00', NULL, NULL, NULL),
	('cleanup.database_migrations', NULL, NULL, '2026-11-28 18:37:44.174382+00', '2026-11-28 18:37:44.174382+00', NULL, '0 2 * * *', 'UTC', '', true, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-28 18:37:44.174382+00', '2026-11-29 02:00:00+00', NULL, NULL, NULL),
	('cleanup.events', NULL, NULL, '2026-11-28 18:37:44.20361+00', '2026-11-28 18:37:44.20361+00', NULL, '0 2 * * *', 'UTC', '', true, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-28 18:37:44.20361+00', '2026-11-29 02:00:00+00', NULL, NULL, NULL),
	('cleanup.api_keys', NULL, NULL, '2026-11-28 18:37:44.234667+00', '2026-11-28 18:37:44.234667+00', NULL, '0 2 * * *', 'UTC', '', true, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-28 18:37:44.234667+00', '2026-11-29 02:00:00+00', NULL, NULL, NULL),
	('cleanup.messages', NULL, NULL, '2026-11-28 18:37:44.280699+00', '2026-11-28 18:37:44.280699+00', NULL, '0 2 * * *', 'UTC', '', true, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-28 18:37:44.280699+00', '2026-11-29 02:00:00+00', NULL, NULL, NULL),
	('nightly-report', NULL, NULL, '2026-11-28 18:37:44.296218+00', '2026-11-28 18:37:44.287046+00', 'sch_01m8hq5veyf1wv7wz0nvmketzs', '0 3 1 1 *', 'UTC', '', true, 'report.due', 'null', NULL, NULL, NULL, NULL, '2026-11-28 18:37:44.296218+00', '2027-01-01 03:00:00+00', NULL, NULL, NULL),
	('cleanup.message_requests', NULL, NULL, '2026-11-28 18:37:44.307023+00', '2026-11-28 18:37:44.307023+00', NULL, '0 2 * * *', 'UTC', '', true, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-28 18:37:44.307023+00', '2026-11-29 02:00:00+00', NULL, NULL, NULL),
	('cleanup.devices', NULL, NULL, '2026-11-28 18:37:44.34512+00', '2026-11-28 18:37:44.34512+00', NULL, '0 2 * * *', 'UTC', '', true, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-28 18:37:44.34512+00', '2026-11-29 02:00:00+00', NULL, NULL, NULL),
	('cleanup.mail_messages', NULL, NULL, '2026-11-28 18:37:44.423148+00', '2026-11-28 18:37:44.423148+00', NULL, '0 2 * * *', 'UTC', '', true, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-28 18:37:44.423148+00', '2026-11-29 02:00:00+00', NULL, NULL, NULL),
	('cleanup.deliveries', NULL, NULL, '2026-11-28 18:37:44.444827+00', '2026-11-28 18:37:44.444827+00', NULL, '0 2 * * *', 'UTC', '', true, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-28 18:37:44.444827+00', '2026-11-29 02:00:00+00', NULL, NULL, NULL),
	('cleanup.replays', NULL, NULL, '2026-11-28 18:37:44.479482+00', '2026-11-28 18:37:44.479482+00', NULL, '0 2 * * *', 'UTC', '', true, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-28 18:37:44.479482+00', '2026-11-29 02:00:00+00', NULL, NULL, NULL),
	('cleanup.usage_hours', NULL, NULL, '2026-11-28 18:37:44.520808+00', '2026-11-28 18:37:44.520808+00', NULL, '0 2 * * *', 'UTC', '', true, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-28 18:37:44.520808+00', '2026-11-29 02:00:00+00', NULL, NULL, NULL),
	('cleanup.usage_days', NULL, NULL, '2026-11-28 18:37:44.55006+00', '2026-11-28 18:37:44.55006+00', NULL, '0 2 * * *', 'UTC', '', true, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-28 18:37:44.55006+00', '2026-11-29 02:00:00+00', NULL, NULL, NULL),
	('cleanup.usage_deltas', NULL, NULL, '2026-11-28 18:37:44.604736+00', '2026-11-28 18:37:44.604736+00', NULL, '0 2 * * *', 'UTC', '', true, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-28 18:37:44.604736+00', '2026-11-29 02:00:00+00', NULL, NULL, NULL),
	('cleanup.processes', NULL, NULL, '2026-11-28 18:37:44.625805+00', '2026-11-28 18:37:44.625805+00', NULL, '0 2 * * *', 'UTC', '', true, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-28 18:37:44.625805+00', '2026-11-29 02:00:00+00', NULL, NULL, NULL),
	('cleanup.resource_samples', NULL, NULL, '2026-11-28 18:37:44.642742+00', '2026-11-28 18:37:44.642742+00', NULL, '0 2 * * *', 'UTC', '', true, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-28 18:37:44.642742+00', '2026-11-29 02:00:00+00', NULL, NULL, NULL),
	('cleanup.health_checks', NULL, NULL, '2026-11-28 18:37:44.66007+00', '2026-11-28 18:37:44.66007+00', NULL, '0 2 * * *', 'UTC', '', true, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-28 18:37:44.66007+00', '2026-11-29 02:00:00+00', NULL, NULL, NULL),
	('cleanup.dead_jobs', NULL, NULL, '2026-11-28 18:37:44.669074+00', '2026-11-28 18:37:44.669074+00', NULL, '0 2 * * *', 'UTC', '', true, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-28 18:37:44.669074+00', '2026-11-29 02:00:00+00', NULL, NULL, NULL),
	('cleanup.job_results', NULL, NULL, '2026-11-28 18:37:44.675255+00', '2026-11-28 18:37:44.675255+00', NULL, '0 2 * * *', 'UTC', '', true, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-28 18:37:44.675255+00', '2026-11-29 02:00:00+00', NULL, NULL, NULL),
	('cleanup.temporary_files', NULL, NULL, '2026-11-28 18:37:44.682978+00', '2026-11-28 18:37:44.682978+00', NULL, '0 2 * * *', 'UTC', '', true, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-28 18:37:44.682978+00', '2026-11-29 02:00:00+00', NULL, NULL, NULL),
	('backups.create', NULL, NULL, '2026-11-28 18:37:44.693023+00', '2026-11-28 18:37:44.693023+00', NULL, '0 3 * * *', 'UTC', '', false, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-28 18:37:44.693023+00', NULL, NULL, NULL, NULL);
INSERT INTO public.schema_migrations VALUES
	(1, '0001_create_job_queue', '2a9ac96a696c79fa574cacb7500fc584b33633b9196ba8c3e539dbb96de9df2f', '2026-11-28 18:37:42.776398+00'),
	(2, '0002_create_events', '16a8a8da2a8aa92a9af56a6d46bdee1290bf9fc8d384ca55d25a9a0bf1562627', '2026-11-28 18:37:42.814009+00'),
	(3, '0003_create_webhooks', 'da9a91c3ff89c958d1e5bb3b55140cab9ed9603073889b096facbda1aa4408a9', '2026-11-28 18:37:42.847706+00'),
	(4, '0004_create_audit_and_keys', 'ebd880e9fd9cb08cc5eade3326bede8c841c99d9bf3db3f3c4a29c7ed04e53ab', '2026-11-28 18:37:42.948592+00'),
	(5, '0005_create_schedules', 'f5e577948bd0072b2ee660147ee624b650374b23f8ee4b93de7b5b338d0aedce', '2026-11-28 18:37:42.961004+00'),
	(6, '0006_create_job_keys', 'd769b5e580daeb83e6f13b55d8a6fa53014265c0c843de9b914a3182c76ddc73', '2026-11-28 18:37:42.966+00'),
	(7, '0007_create_webhook_secrets', '49797d248256feec5eb0948f48d84e1e940555ff1a9d8263ff34d442274af4fa', '2026-11-28 18:37:43.039334+00'),
	(8, '0008_create_webhook_replays', '0ef90eebcff6217fe462d5ee695528aa604b5740e42c120fe2ed9e136f43b9ac', '2026-11-28 18:37:43.049488+00'),
	(9, '0009_choose_and_seal_for_endpoints', '8c25588e3a8597826589e17e1b7302b2573e20f296224bfdc30e49c8ab170b03', '2026-11-28 18:37:43.100934+00'),
	(10, '0010_watch_endpoints_and_attempts', 'be98a3da56267f1a2917610843a923ee5788778d52bdf34e3f13f7481400c843', '2026-11-28 18:37:43.113117+00'),
	(11, '0011_find_by_subject_action_and_time', '63b093ed2a0201877b89fcabc0634b3d4ac08d62fd29389e959f00954c81fee3', '2026-11-28 18:37:43.163647+00'),
	(12, '0012_say_ramps_and_versions_once', 'e7f1f9fdec9158dba0c172ab7320e4eb5e71ca8b3d52713275a396fcaa217edc', '2026-11-28 18:37:43.164174+00'),
	(13, '0013_control_jobs', '912bf9ee373f9a0896c9d5856895567cefb8c2b8d598f2678b5fe20153978a07', '2026-11-28 18:37:43.166185+00'),
	(14, '0014_create_devices_and_messages', 'e3c7c5bb87dbae482290ebf875815757a0775cfdf54b403732d6f7535f934d53', '2026-11-28 18:37:43.175656+00'),
	(15, '0015_create_platform_databases', 'dbf69610c6c74d3a1427f8cde485c6b1bfe628e45b6817876f695dbf0d27a683', '2026-11-28 18:37:43.205789+00'),
	(16, '0016_count_usage_and_watch_resources', 'f101489457ee53c38aa81c1e49a76ca10f8854f5d82a6fa5097f63db0eb812bb', '2026-11-28 18:37:43.269673+00'),
	(17, '0017_create_backups', '7b87b00f508e98f463995819ae847e82be76b89bebdc8ed5b83589eccec7a12c', '2026-11-28 18:37:43.350987+00'),
	(18, '0018_create_mail', 'db04b9ac44d4fe35c592630961f64346065bb3931ceaf6cd4780f2abb16b88af', '2026-11-28 18:37:43.360824+00'),
	(19, '0019_chain_audit_records_and_note_purges', '59e7a0859b81e30ac04abe2ba7a6c1e5aa01d0908a64946bbf9550d6a3676745', '2026-11-28 18:37:43.493091+00'),
	(20, '0020_let_users_make_schedules', '2c3c46de85214b755356a7b135a0a15248a261df2bff47fec4ea22be1920bd51', '2026-11-28 18:37:43.493843+00'),
	(21, '0021_purges_of_mail_and_stats_are_declared', 'f56b8a696efa12311da367007f59a980f39ab16df47cdfe3190bad5ff490ab10', '2026-11-28 18:37:43.503877+00'),
	(22, '0022_let_purges_go_on_where_they_stopped', '66194b5672824c08e27d1a4a05e293aea632420d1ffb8bbd3e35006c2a40873f', '2026-11-28 18:37:43.552229+00'),
	(23, '0023_say_that_writing_keys_read', '91c95588e177daba4279418fcfbde6138f9f62a1d0b74e3dd6b04dc00f88bb67', '2026-11-28 18:37:43.557422+00'),
	(24, '0024_forget_endpoints_of_tests', '9aceb3ff3f5ddce8467042e3bca59a1b65726602bb3bf404057a3508d3eea14f', '2026-11-28 18:37:43.564761+00'),
	(25, '0025_publish_to_who_listens', '5fa13262a36a287acbe5a92f5192fb6dcdaac80d5c1825d4a3fb52187eb36c2d', '2026-11-28 18:37:43.577703+00');
INSERT INTO public.usage_deltas OVERRIDING SYSTEM VALUE VALUES
	(1, 'proc_01m8hq5g51fw4sg68xxt784yes', 'events.published', '{}', 4, '2026-11-28 18:37:49.241877+00'),
	(2, 'proc_01m8hq5g51fw4sg68xxt784yes', 'http.requests', '{"status": "2xx"}', 22, '2026-11-28 18:37:49.241877+00'),
	(3, 'proc_01m8hq5g51fw4sg68xxt784yes', 'http.received_bytes', '{}', 5183, '2026-11-28 18:37:49.241877+00'),
	(4, 'proc_01m8hq5g51fw4sg68xxt784yes', 'http.sent_bytes', '{}', 12135, '2026-11-28 18:37:49.241877+00'),
	(5, 'proc_01m8hq5g51fw4sg68xxt784yes', 'jobs.performed', '{"queue": "databases", "outcome": "failed"}', 2, '2026-11-28 18:37:49.241877+00'),
	(6, 'proc_01m8hq5g51fw4sg68xxt784yes', 'jobs.performed', '{"queue": "migrations", "outcome": "done"}', 1, '2026-11-28 18:37:49.241877+00'),
	(7, 'proc_01m8hq5g51fw4sg68xxt784yes', 'jobs.performed', '{"queue": "databases", "outcome": "done"}', 1, '2026-11-28 18:37:49.241877+00');
INSERT INTO public.webhook_deliveries VALUES
	('dlv_01m8hq5vbgfkeshgqc4dfhhz4y', 'former-0', 'wh_01m8hq5v5tebqrny6znpmh47kr', 'pending', 0, '2026-11-28 18:37:44.178995+00', NULL, '2026-11-28 18:37:44.178995+00'),
	('dlv_01m8hq5vbgfnd8m6n2apf2yqr8', 'former-1', 'wh_01m8hq5v5tebqrny6znpmh47kr', 'pending', 0, '2026-11-28 18:37:44.178995+00', NULL, '2026-11-28 18:37:44.178995+00'),
	('dlv_01m8hq5vbgfp8bqcv9jgc9a9c5', 'former-2', 'wh_01m8hq5v5tebqrny6znpmh47kr', 'pending', 0, '2026-11-28 18:37:44.178995+00', NULL, '2026-11-28 18:37:44.178995+00'),
	('dlv_01m8hq5w4hf2e8qp3x728h1202', 'former-later', 'wh_01m8hq5v5tebqrny6znpmh47kr', 'pending', 0, '2026-11-28 18:37:44.978934+00', NULL, '2026-11-28 18:37:44.978934+00');
INSERT INTO public.webhook_endpoints VALUES
	('wh_01m8hq5v5tebqrny6znpmh47kr', 'http://127.0.0.1:9/hook', 'former', '{order.*}', '{order.%}', 'paused', '{}', 64, 10, '2026-11-28 18:37:43.986987+00', '2026-11-28 18:37:44.101128+00', NULL, NULL, 'full', NULL, NULL, '\x024ea49100872699c5f2f92233602a5ac0c6391a744f5674e22dc5563b5f0f6e96d7f235af63cdaeb7f61d296d293641b273b78b90453b310ba46677ccf6', '{"X-Token":"****"}', NULL, 2);
INSERT INTO public.webhook_secrets VALUES
	('sec_01m8hq5v6zf6ctpfwzq5r626y8', 'wh_01m8hq5v5tebqrny6znpmh47kr', 'v1', '\x024ea491001d5d98ddba9b29e0a7a57f53808ea4fd6ee8ac78304680a6aaf5bedef63ce0a65e2ae6cc50599546ce703107b8f7ccf060820c9bf7253fe0a674fd86', '2026-11-28 18:37:44.032154+00', NULL);
SELECT pg_catalog.setval('public.job_queue_seq_seq', 6, true);
SELECT pg_catalog.setval('public.mail_attempts_id_seq', 1, false);
SELECT pg_catalog.setval('public.usage_deltas_id_seq', 7, true);
ALTER TABLE ONLY public.alerts
    ADD CONSTRAINT alerts_pkey PRIMARY KEY (name, subject);
ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_key_hash_key UNIQUE (key_hash);
ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.audit_chain
    ADD CONSTRAINT audit_chain_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.audit_logs
    ADD CONSTRAINT audit_logs_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.backups
    ADD CONSTRAINT backups_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.devices
    ADD CONSTRAINT devices_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.event_ids
    ADD CONSTRAINT event_ids_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.events
    ADD CONSTRAINT events_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.health_checks
    ADD CONSTRAINT health_checks_pkey PRIMARY KEY (checked_at);
ALTER TABLE ONLY public.job_keys
    ADD CONSTRAINT job_keys_pkey PRIMARY KEY (key);
ALTER TABLE ONLY public.job_queue
    ADD CONSTRAINT job_queue_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.job_results
    ADD CONSTRAINT job_results_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.mail_attempts
    ADD CONSTRAINT mail_attempts_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.mail_messages
    ADD CONSTRAINT mail_messages_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.mail_requests
    ADD CONSTRAINT mail_requests_idempotency_key_key UNIQUE (idempotency_key);
ALTER TABLE ONLY public.mail_requests
    ADD CONSTRAINT mail_requests_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.mail_suppressions
    ADD CONSTRAINT mail_suppressions_pkey PRIMARY KEY (address);
ALTER TABLE ONLY public.message_attempts
    ADD CONSTRAINT message_attempts_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.message_requests
    ADD CONSTRAINT message_requests_pkey PRIMARY KEY (key);
ALTER TABLE ONLY public.messages
    ADD CONSTRAINT messages_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.paused_queues
    ADD CONSTRAINT paused_queues_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.platform_database_health
    ADD CONSTRAINT platform_database_health_pkey PRIMARY KEY (database_id);
ALTER TABLE ONLY public.platform_database_migration_files
    ADD CONSTRAINT platform_database_migration_files_pkey PRIMARY KEY (run_id, place);
ALTER TABLE ONLY public.platform_database_migrations
    ADD CONSTRAINT platform_database_migrations_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.platform_databases
    ADD CONSTRAINT platform_databases_name_key UNIQUE (name);
ALTER TABLE ONLY public.platform_databases
    ADD CONSTRAINT platform_databases_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.processes
    ADD CONSTRAINT processes_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.purge_runs
    ADD CONSTRAINT purge_runs_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.realtime_listening
    ADD CONSTRAINT realtime_listening_pkey PRIMARY KEY (process);
ALTER TABLE ONLY public.resource_samples
    ADD CONSTRAINT resource_samples_pkey PRIMARY KEY (name, sampled_at, labels);
ALTER TABLE ONLY public.schedules
    ADD CONSTRAINT schedules_id_key UNIQUE (id);
ALTER TABLE ONLY public.schedules
    ADD CONSTRAINT schedules_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.schema_migrations
    ADD CONSTRAINT schema_migrations_pkey PRIMARY KEY (version);
ALTER TABLE ONLY public.usage_deltas
    ADD CONSTRAINT usage_deltas_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.usage
    ADD CONSTRAINT usage_pkey PRIMARY KEY (bucket, at, metric, labels);
ALTER TABLE ONLY public.webhook_attempts
    ADD CONSTRAINT webhook_attempts_pkey PRIMARY KEY (delivery_id, number);
ALTER TABLE ONLY public.webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.webhook_endpoints
    ADD CONSTRAINT webhook_endpoints_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.webhook_health
    ADD CONSTRAINT webhook_health_pkey PRIMARY KEY (webhook_id);
ALTER TABLE ONLY public.webhook_replays
    ADD CONSTRAINT webhook_replays_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.webhook_secrets
    ADD CONSTRAINT webhook_secrets_pkey PRIMARY KEY (id);
CREATE INDEX api_keys_ended ON public.api_keys USING btree (LEAST(revoked_at, expires_at)) WHERE (LEAST(revoked_at, expires_at) IS NOT NULL);
CREATE INDEX audit_logs_action ON public.audit_logs USING btree (action, id);
CREATE INDEX audit_logs_actor ON public.audit_logs USING btree (actor, id);
CREATE UNIQUE INDEX audit_logs_chain ON public.audit_logs USING btree (chain_seq) WHERE (chain_seq IS NOT NULL);
CREATE INDEX audit_logs_created_at ON public.audit_logs USING btree (created_at);
CREATE INDEX audit_logs_resource ON public.audit_logs USING btree (resource_type, resource_id, id);
CREATE INDEX audit_logs_unsealed ON public.audit_logs USING btree (created_at, id) WHERE (chain_seq IS NULL);
CREATE INDEX audit_logs_user_id ON public.audit_logs USING btree (user_id) WHERE (user_id IS NOT NULL);
CREATE UNIQUE INDEX backups_running ON public.backups USING btree (status) WHERE (status = 'running'::text);
CREATE UNIQUE INDEX devices_address ON public.devices USING btree (address_hash);
CREATE INDEX devices_disabled ON public.devices USING btree (disabled_at) WHERE (disabled_at IS NOT NULL);
CREATE INDEX devices_subject ON public.devices USING btree (subject, id) WHERE (subject IS NOT NULL);
CREATE INDEX events_created_at ON public.events USING btree (created_at, id);
CREATE INDEX events_subject ON public.events USING btree (subject, created_at, id) WHERE (subject IS NOT NULL);
CREATE INDEX events_type ON public.events USING btree (type, created_at, id);
CREATE INDEX job_queue_cancelled ON public.job_queue USING btree (lease_id) WHERE (cancelled_at IS NOT NULL);
CREATE INDEX job_queue_claim ON public.job_queue USING btree (queue_name, key, order_key, lane, COALESCE(leased_until, scheduled_at)) WHERE (status = ANY (ARRAY['pending'::text, 'running'::text]));
CREATE INDEX job_queue_dead_key ON public.job_queue USING btree (key) WHERE ((status = 'dead'::text) AND (key <> ''::text));
CREATE INDEX job_queue_dead_order ON public.job_queue USING btree (COALESCE(processed_at, created_at), id) WHERE (status = 'dead'::text);
CREATE UNIQUE INDEX job_queue_dedupe ON public.job_queue USING btree (dedupe_key) WHERE ((dedupe_key IS NOT NULL) AND (status <> 'dead'::text));
CREATE INDEX job_queue_due ON public.job_queue USING btree (queue_name, GREATEST(leased_until, scheduled_at)) WHERE (status = ANY (ARRAY['pending'::text, 'running'::text]));
CREATE INDEX job_queue_order ON public.job_queue USING btree (queue_name, key, order_key, seq) WHERE ((status = ANY (ARRAY['pending'::text, 'running'::text])) AND (order_key <> ''::text));
CREATE INDEX job_queue_status ON public.job_queue USING btree (queue_name, status, id);
CREATE INDEX job_results_expires ON public.job_results USING btree (expires_at);
CREATE INDEX mail_attempts_message ON public.mail_attempts USING btree (message_id, id);
CREATE INDEX mail_messages_address ON public.mail_messages USING btree (address, id);
CREATE INDEX mail_messages_finished ON public.mail_messages USING btree (finished_at) WHERE (finished_at IS NOT NULL);
CREATE INDEX mail_messages_request ON public.mail_messages USING btree (request_id);
CREATE INDEX mail_messages_status ON public.mail_messages USING btree (status, id);
CREATE INDEX message_attempts_message ON public.message_attempts USING btree (message_id, id);
CREATE INDEX message_requests_created ON public.message_requests USING btree (created_at);
CREATE INDEX messages_channel ON public.messages USING btree (channel, id);
CREATE INDEX messages_finished ON public.messages USING btree (finished_at) WHERE (finished_at IS NOT NULL);
CREATE INDEX messages_recipient ON public.messages USING btree (recipient, id);
CREATE INDEX messages_status ON public.messages USING btree (status, id) WHERE (status <> 'sent'::text);
CREATE INDEX platform_database_migrations_database ON public.platform_database_migrations USING btree (database_id, id);
CREATE INDEX platform_database_migrations_finished ON public.platform_database_migrations USING btree (finished_at) WHERE (finished_at IS NOT NULL);
CREATE UNIQUE INDEX platform_database_migrations_unfinished ON public.platform_database_migrations USING btree (database_id) WHERE (status = 'running'::text);
CREATE INDEX resource_samples_sampled_at ON public.resource_samples USING brin (sampled_at) WITH (autosummarize='on');
CREATE INDEX webhook_attempts_recorded_at ON public.webhook_attempts USING brin (recorded_at) WITH (pages_per_range='32', autosummarize='on');
CREATE UNIQUE INDEX webhook_deliveries_event ON public.webhook_deliveries USING btree (event_id, webhook_id);
CREATE INDEX webhook_deliveries_failed ON public.webhook_deliveries USING btree (webhook_id, id) WHERE (status = 'failed'::text);
CREATE INDEX webhook_deliveries_finished ON public.webhook_deliveries USING btree (finished_at) WHERE (finished_at IS NOT NULL);
CREATE INDEX webhook_deliveries_status ON public.webhook_deliveries USING btree (status, id) WHERE (status <> 'delivered'::text);
CREATE INDEX webhook_deliveries_webhook ON public.webhook_deliveries USING btree (webhook_id, id);
CREATE INDEX webhook_endpoints_listening ON public.webhook_endpoints USING gin (public.listening_keys(event_globs)) WITH (fastupdate=off) WHERE (state <> 'disabled'::text);
CREATE INDEX webhook_replays_finished ON public.webhook_replays USING btree (finished_at) WHERE (finished_at IS NOT NULL);
CREATE UNIQUE INDEX webhook_replays_unfinished ON public.webhook_replays USING btree (webhook_id) WHERE (status = ANY (ARRAY['running'::text, 'paused'::text]));
CREATE INDEX webhook_replays_webhook ON public.webhook_replays USING btree (webhook_id, id);
CREATE UNIQUE INDEX webhook_secrets_newest ON public.webhook_secrets USING btree (webhook_id) WHERE (expires_at IS NULL);
CREATE INDEX webhook_secrets_webhook ON public.webhook_secrets USING btree (webhook_id);
CREATE TRIGGER webhook_endpoints_version BEFORE UPDATE ON public.webhook_endpoints FOR EACH ROW EXECUTE FUNCTION public.next_version();
ALTER TABLE ONLY public.mail_messages
    ADD CONSTRAINT mail_messages_request_id_fkey FOREIGN KEY (request_id) REFERENCES public.mail_requests(id);
ALTER TABLE ONLY public.platform_database_health
    ADD CONSTRAINT platform_database_health_database_id_fkey FOREIGN KEY (database_id) REFERENCES public.platform_databases(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.platform_database_migration_files
    ADD CONSTRAINT platform_database_migration_files_run_id_fkey FOREIGN KEY (run_id) REFERENCES public.platform_database_migrations(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.platform_database_migrations
    ADD CONSTRAINT platform_database_migrations_database_id_fkey FOREIGN KEY (database_id) REFERENCES public.platform_databases(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_event_id_fkey FOREIGN KEY (event_id) REFERENCES public.events(id);
ALTER TABLE ONLY public.webhook_health
    ADD CONSTRAINT webhook_health_webhook_id_fkey FOREIGN KEY (webhook_id) REFERENCES public.webhook_endpoints(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.webhook_secrets
    ADD CONSTRAINT webhook_secrets_webhook_id_fkey FOREIGN KEY (webhook_id) REFERENCES public.webhook_endpoints(id) ON DELETE CASCADE;

-- The result of sql/migrations, to be read; `make schema` writes it. Why things are so is said there.

CREATE SCHEMA auth;

COMMENT ON SCHEMA auth IS 'Ogel: auth';

CREATE SCHEMA ogel;

CREATE SCHEMA storage;

COMMENT ON SCHEMA storage IS 'Ogel: storage';

CREATE FUNCTION auth.email() RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN ((NULLIF(current_setting('request.jwt.claims'::text, true), ''::text))::jsonb ->> 'email'::text);

COMMENT ON FUNCTION auth.email() IS 'the address of the user who reads or writes';

CREATE FUNCTION auth.jwt() RETURNS jsonb
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN (NULLIF(current_setting('request.jwt.claims'::text, true), ''::text))::jsonb;

COMMENT ON FUNCTION auth.jwt() IS 'the claims of who reads or writes';

CREATE FUNCTION auth.role() RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN ((NULLIF(current_setting('request.jwt.claims'::text, true), ''::text))::jsonb ->> 'role'::text);

COMMENT ON FUNCTION auth.role() IS 'anon, authenticated or service_role';

CREATE FUNCTION auth.uid() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN (((NULLIF(current_setting('request.jwt.claims'::text, true), ''::text))::jsonb ->> 'sub'::text))::uuid;

COMMENT ON FUNCTION auth.uid() IS 'the id of the user who reads or writes; null: none has signed in';

CREATE FUNCTION listening_keys(globs text[]) RETURNS text[]
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

CREATE FUNCTION next_version() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
  NEW.version := OLD.version + 1;

RETURN NEW;

END
$$;

CREATE FUNCTION realtime_is_heard() RETURNS boolean
    LANGUAGE plpgsql
    AS $$
BEGIN
  PERFORM pg_advisory_xact_lock_shared(hashtext('ogel realtime heard')::bigint & 4294967295);

RETURN EXISTS (SELECT FROM realtime_listening WHERE until > now());

END
$$;

CREATE FUNCTION realtime_kept(channel text, OUT history_size integer, OUT history_seconds integer) RETURNS record
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT rules.size,
     rules.seconds
    FROM ( SELECT 1 AS turn,
             n.history_size AS size,
             n.history_seconds AS seconds
            FROM realtime_namespaces n
           WHERE ((POSITION((':'::text) IN (realtime_kept.channel)) > 0) AND (n.name = split_part(realtime_kept.channel, ':'::text, 1)))
         UNION ALL
          SELECT 2,
             50000,
             3600
           WHERE starts_with(realtime_kept.channel, '$ogel:'::text)
         UNION ALL
          SELECT 3,
             n.history_size,
             n.history_seconds
            FROM realtime_namespaces n
           WHERE (n.name = ''::text)
         UNION ALL
          SELECT 4,
             1000,
             3600) rules
   ORDER BY rules.turn
  LIMIT 1;

END;

CREATE FUNCTION realtime_publish(items jsonb) RETURNS TABLE(place integer, channel_epoch text, publication_number bigint, is_new boolean)
    LANGUAGE plpgsql
    AS $_$
#variable_conflict use_column
DECLARE
  moment CONSTANT timestamptz := clock_timestamp();

BEGIN
  IF jsonb_path_exists(items, '$[*].idempotency_key ? (@ != null)') THEN
    -- Whoever published a key before has committed by the time that the row is ours; the statement after this sees it.
    INSERT INTO realtime_channels (name, epoch, top, published_at)
    SELECT item ->> 'channel', substr(md5(random()::text), 1, 8), 0, moment
    FROM jsonb_array_elements(items) AS item GROUP BY 1 ORDER BY 1
    ON CONFLICT (name) DO UPDATE SET published_at = excluded.published_at;

END IF;

RETURN QUERY
  WITH wanted AS (
    SELECT place::integer, item ->> 'channel' AS channel, item ->> 'data' AS data, item ->> 'event_id' AS event_id,
           item -> 'tags' AS tags, item -> 'roles' AS roles, item ->> 'idempotency_key' AS idempotency_key
    FROM jsonb_array_elements(items) WITH ORDINALITY AS items (item, place)
  ), known AS (
    SELECT wanted.place, channels.epoch, publications.number
    FROM wanted JOIN realtime_publications AS publications USING (channel, idempotency_key)
    JOIN realtime_channels AS channels ON channels.name = channel
  ), twice AS (
    SELECT later.place, min(earlier.place) AS first_place
    FROM wanted AS later JOIN wanted AS earlier USING (channel, idempotency_key)
    WHERE earlier.place < later.place AND later.place NOT IN (SELECT place FROM known)
    GROUP BY later.place
  ), fresh AS (
    SELECT *, row_number() OVER (PARTITION BY channel ORDER BY place) AS step
    FROM wanted
    WHERE place NOT IN (SELECT place FROM known) AND place NOT IN (SELECT place FROM twice)
  ), moved AS (
    INSERT INTO realtime_channels AS channels (name, epoch, top, published_at)
    SELECT channel, substr(md5(random()::text), 1, 8), count(*), moment FROM fresh GROUP BY channel ORDER BY channel
    ON CONFLICT (name) DO UPDATE SET top = channels.top + excluded.top, published_at = excluded.published_at
    RETURNING name, epoch, top
  ), counts AS (
    SELECT channel, count(*) AS many FROM fresh GROUP BY channel
  ), written AS (
    INSERT INTO realtime_publications
      (channel, number, data, event_id, tags, roles, idempotency_key, published_at, expires_at)
    SELECT fresh.channel, moved.top - counts.many + fresh.step, data, event_id, nullif(tags, 'null'),
           CASE WHEN jsonb_typeof(roles) = 'array' THEN ARRAY(SELECT jsonb_array_elements_text(roles)) END,
           idempotency_key, moment,
           moment + make_interval(secs => (realtime_kept(fresh.channel)).history_seconds)
    FROM fresh JOIN moved ON moved.name = fresh.channel JOIN counts ON counts.channel = fresh.channel
  ), answers AS (
    SELECT place, epoch, number, false AS is_new FROM known
    UNION ALL
    SELECT fresh.place, moved.epoch, moved.top - counts.many + fresh.step, true
    FROM fresh JOIN moved ON moved.name = fresh.channel JOIN counts ON counts.channel = fresh.channel
  )
  SELECT * FROM answers
  UNION ALL
  SELECT twice.place, answers.epoch, answers.number, false
  FROM twice JOIN answers ON answers.place = twice.first_place;

IF random() < 0.03 THEN
    -- Now and then, because that is cheaper than each time.
    DELETE FROM realtime_publications AS old USING realtime_channels AS channels
    WHERE channels.name IN (SELECT item ->> 'channel' FROM jsonb_array_elements(items) AS item)
      AND old.channel = channels.name
      AND old.number <= channels.top - (realtime_kept(channels.name)).history_size;

END IF;

PERFORM nextval('realtime_clock');

END
$_$;

CREATE FUNCTION storage_blob_counted() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'ogel', 'pg_temp'
    AS $$
DECLARE
  change record;

quota storage_quotas;

BEGIN
  IF NOT EXISTS (SELECT FROM storage_quotas) THEN
    RETURN NULL;

END IF;

FOR change IN
    SELECT subject,
      coalesce(sum(sign * size) FILTER (WHERE state = 'live'), 0) AS used,
      coalesce(sum(sign * size) FILTER (WHERE state = 'pending'), 0) AS reserved
    FROM (
      SELECT -1 AS sign, OLD.state, OLD.size, unnest(ARRAY['bucket:' || OLD.bucket_id, 'user:' || OLD.owner_id]) AS subject
      WHERE TG_OP <> 'INSERT'
      UNION ALL
      SELECT 1, NEW.state, NEW.size, unnest(ARRAY['bucket:' || NEW.bucket_id, 'user:' || NEW.owner_id])
      WHERE TG_OP <> 'DELETE'
    ) AS changes
    WHERE subject IS NOT NULL AND EXISTS (SELECT FROM storage_quotas AS q WHERE q.subject = changes.subject)
    GROUP BY subject
    ORDER BY subject
  LOOP
    UPDATE storage_quotas
    SET used_bytes = used_bytes + change.used, reserved_bytes = reserved_bytes + change.reserved
    WHERE subject = change.subject
    RETURNING * INTO quota;

IF change.used + change.reserved > 0 AND quota.used_bytes + quota.reserved_bytes > quota.max_bytes THEN
      RAISE EXCEPTION 'the quota of % is % bytes', quota.subject, quota.max_bytes
        USING ERRCODE = 'OG001', CONSTRAINT = 'storage_quota';

END IF;

END LOOP;

RETURN NULL;

END
$$;

CREATE FUNCTION storage_expect(counted bigint, wanted bigint) RETURNS timestamp with time zone
    LANGUAGE plpgsql
    AS $$
BEGIN
  IF counted <> wanted THEN
    RAISE EXCEPTION 'of % objects % are as they were', wanted, counted USING ERRCODE = 'OG002';

END IF;

RETURN now();

END
$$;

CREATE FUNCTION storage_folded(name text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (SELECT string_agg(((lower((segments.segment COLLATE "C")) || chr(1)) || segments.segment), '/'::text ORDER BY segments."position") AS string_agg FROM unnest(string_to_array(storage_folded.name, '/'::text)) WITH ORDINALITY segments(segment, "position"));

CREATE FUNCTION storage_let_versions_go(gone text[]) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'ogel', 'pg_temp'
    AS $$
  UPDATE storage_blobs SET state = 'deleting', until = now() + interval '10 minutes'
  WHERE state <> 'deleting' AND (version = ANY (gone) OR rendition_of = ANY (gone))
$$;

CREATE FUNCTION storage_object_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'ogel', 'pg_temp'
    AS $$
BEGIN
  IF NEW.version <> OLD.version THEN
    PERFORM storage_let_versions_go(ARRAY[OLD.version]);

ELSE
    UPDATE storage_blobs SET bucket_id = NEW.bucket_id WHERE version = OLD.version AND state = 'live';

END IF;

RETURN NULL;

END
$$;

CREATE FUNCTION storage_objects_deleted() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'ogel', 'pg_temp'
    AS $$
BEGIN
  PERFORM storage_let_versions_go((SELECT array_agg(version) FROM gone));

RETURN NULL;

END
$$;

CREATE FUNCTION storage_objects_truncated() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'ogel', 'pg_temp'
    AS $$
BEGIN
  UPDATE storage_blobs SET state = 'deleting', until = now() + interval '10 minutes' WHERE state = 'live';

RETURN NULL;

END
$$;

CREATE FUNCTION storage_uploads_deleted() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'ogel', 'pg_temp'
    AS $$
BEGIN
  UPDATE storage_blobs SET state = 'deleting', until = now()
  WHERE state = 'pending' AND version = ANY (ARRAY(SELECT version FROM gone));

RETURN NULL;

END
$$;

CREATE FUNCTION webhook_listeners(types text[], keys text[]) RETURNS TABLE(type text, webhook_id text, filter text, ordered_by text)
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

CREATE FUNCTION storage.asking() RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN ((NULLIF(current_setting('request.jwt.claims'::text, true), ''::text))::jsonb ->> 'sub'::text);

COMMENT ON FUNCTION storage.asking() IS 'the id of the user who reads or writes; null: none has signed in';

CREATE FUNCTION storage.extension(name text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN split_part(name, '.'::text, '-1'::integer);

CREATE FUNCTION storage.filename(name text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (string_to_array(name, '/'::text))[cardinality(string_to_array(name, '/'::text))];

CREATE FUNCTION storage.foldername(name text) RETURNS text[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN trim_array(string_to_array(name, '/'::text), 1);

CREATE FUNCTION storage.permitted(action text) RETURNS SETOF text
    LANGUAGE sql STABLE SECURITY DEFINER
    BEGIN ATOMIC
 SELECT buckets.id
    FROM storage.buckets
   WHERE ((buckets.permissions IS NOT NULL) AND ((buckets.permissions -> permitted.action) ?| string_to_array(COALESCE(current_setting('roles'::text, true), ''::text), ' '::text)));

END;

CREATE FUNCTION storage.permitted_to_owners(action text) RETURNS SETOF text
    LANGUAGE sql STABLE SECURITY DEFINER
    BEGIN ATOMIC
 SELECT buckets.id
    FROM storage.buckets
   WHERE ((buckets.permissions IS NOT NULL) AND ((buckets.permissions -> permitted_to_owners.action) ? 'owner'::text));

END;

CREATE UNLOGGED TABLE webhook_handovers (
    id text NOT NULL,
    webhook_id text NOT NULL,
    request text NOT NULL,
    answer_seconds double precision NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    taken_at timestamp with time zone,
    answer text
);

CREATE TRIGGER storage_blobs_counted AFTER INSERT OR DELETE OR UPDATE OF state, size, bucket_id, owner_id ON storage_blobs FOR EACH ROW EXECUTE FUNCTION storage_blob_counted();

CREATE TRIGGER storage_uploads_deleted AFTER DELETE ON storage_uploads REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION storage_uploads_deleted();

CREATE TRIGGER webhook_endpoints_version BEFORE UPDATE ON webhook_endpoints FOR EACH ROW EXECUTE FUNCTION next_version();

CREATE TRIGGER objects_changed AFTER UPDATE ON storage.objects FOR EACH ROW WHEN (((new.version <> old.version) OR (new.bucket_id <> old.bucket_id))) EXECUTE FUNCTION storage_object_changed();

CREATE TRIGGER objects_deleted AFTER DELETE ON storage.objects REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION storage_objects_deleted();

CREATE TRIGGER objects_truncated AFTER TRUNCATE ON storage.objects FOR EACH STATEMENT EXECUTE FUNCTION storage_objects_truncated();

CREATE POLICY ogel_permissions_create ON storage.objects FOR INSERT WITH CHECK ((bucket_id = ANY (ARRAY( SELECT storage.permitted('create'::text) AS permitted))));

CREATE POLICY ogel_permissions_delete ON storage.objects FOR DELETE USING (((bucket_id = ANY (ARRAY( SELECT storage.permitted('delete'::text) AS permitted))) OR ((owner_id = ( SELECT storage.asking() AS asking)) AND (bucket_id = ANY (ARRAY( SELECT storage.permitted_to_owners('delete'::text) AS permitted_to_owners))))));

CREATE POLICY ogel_permissions_read ON storage.buckets FOR SELECT USING ((id = ANY (ARRAY( SELECT storage.permitted('read'::text) AS permitted))));

CREATE POLICY ogel_permissions_read ON storage.objects FOR SELECT USING (((bucket_id = ANY (ARRAY( SELECT storage.permitted('read'::text) AS permitted))) OR ((owner_id = ( SELECT storage.asking() AS asking)) AND (bucket_id = ANY (ARRAY( SELECT storage.permitted_to_owners('read'::text) AS permitted_to_owners))))));

CREATE POLICY ogel_permissions_update ON storage.objects FOR UPDATE USING (((bucket_id = ANY (ARRAY( SELECT storage.permitted('update'::text) AS permitted))) OR ((owner_id = ( SELECT storage.asking() AS asking)) AND (bucket_id = ANY (ARRAY( SELECT storage.permitted_to_owners('update'::text) AS permitted_to_owners))))));

CREATE TABLE alerts (
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

COMMENT ON COLUMN alerts.is_over IS 'what the last check found, whether or not the alert is raised yet';

COMMENT ON COLUMN alerts.streak IS 'checks in a row that found this';

COMMENT ON COLUMN alerts.since IS 'raised: the first check that found it over; otherwise the first after that';

COMMENT ON COLUMN alerts.checked_by IS 'the tick of the last check: one that is run again counts once';

ALTER TABLE ONLY alerts
    ADD CONSTRAINT alerts_pkey PRIMARY KEY (name, subject);

CREATE TABLE api_keys (
    id text NOT NULL,
    name text NOT NULL,
    key_hash bytea NOT NULL,
    hint text NOT NULL,
    scopes text[] NOT NULL,
    expires_at timestamp with time zone,
    revoked_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    networks text[],
    made_by text,
    replaced_by text,
    kind text DEFAULT 'secret'::text NOT NULL,
    CONSTRAINT api_keys_kind_check CHECK ((kind = ANY (ARRAY['secret'::text, 'publishable'::text])))
);

COMMENT ON COLUMN api_keys.networks IS 'CIDRs that it may be used from; null: from everywhere';

COMMENT ON COLUMN api_keys.made_by IS 'the principal who made it; null: made before this was written down';

COMMENT ON COLUMN api_keys.replaced_by IS 'the key that was made in its place by rotation';

ALTER TABLE ONLY api_keys
    ADD CONSTRAINT api_keys_key_hash_key UNIQUE (key_hash);

ALTER TABLE ONLY api_keys
    ADD CONSTRAINT api_keys_pkey PRIMARY KEY (id);

CREATE INDEX api_keys_ended ON api_keys USING btree (LEAST(revoked_at, expires_at)) WHERE (LEAST(revoked_at, expires_at) IS NOT NULL);

CREATE TABLE audit_chain (
    name text NOT NULL,
    seq bigint NOT NULL,
    hash bytea NOT NULL,
    sealed bytea NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT audit_chain_name_check CHECK ((name = ANY (ARRAY['anchor'::text, 'head'::text])))
)
WITH (fillfactor='50');

COMMENT ON TABLE audit_chain IS 'ends of the chain of audit_logs: the last record purged, and the last one sealed';

COMMENT ON COLUMN audit_chain.sealed IS 'seq and hash again, AES-256-GCM under a key derived from OGEL_SECRET';

ALTER TABLE ONLY audit_chain
    ADD CONSTRAINT audit_chain_pkey PRIMARY KEY (name);

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
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    chain_seq bigint,
    hash bytea
);

COMMENT ON COLUMN audit_logs.chain_seq IS 'place in the chain; null: not sealed yet';

COMMENT ON COLUMN audit_logs.hash IS 'SHA-256 of the hash before it and of the record, see features/audit/chain.py';

ALTER TABLE ONLY audit_logs
    ADD CONSTRAINT audit_logs_pkey PRIMARY KEY (id);

CREATE INDEX audit_logs_action ON audit_logs USING btree (action, id);

CREATE INDEX audit_logs_actor ON audit_logs USING btree (actor, id);

CREATE UNIQUE INDEX audit_logs_chain ON audit_logs USING btree (chain_seq) WHERE (chain_seq IS NOT NULL);

CREATE INDEX audit_logs_created_at ON audit_logs USING btree (created_at);

CREATE INDEX audit_logs_resource ON audit_logs USING btree (resource_type, resource_id, id);

CREATE INDEX audit_logs_unsealed ON audit_logs USING btree (created_at, id) WHERE (chain_seq IS NULL);

CREATE INDEX audit_logs_user_id ON audit_logs USING btree (user_id) WHERE (user_id IS NOT NULL);

CREATE TABLE auth.flow_states (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    user_id uuid,
    provider text NOT NULL,
    method text NOT NULL,
    code_hash bytea,
    code_challenge text,
    code_challenge_method text,
    redirect_to text NOT NULL,
    sealed bytea,
    linking boolean DEFAULT false NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT flow_states_code_challenge_method_check CHECK ((code_challenge_method = ANY (ARRAY['s256'::text, 'plain'::text])))
);

COMMENT ON TABLE auth.flow_states IS 'sign-ins that go through a link or another site';

COMMENT ON COLUMN auth.flow_states.method IS 'for amr: oauth, otp, …';

COMMENT ON COLUMN auth.flow_states.code_hash IS 'SHA-256 of the code that is exchanged for a session; null until it is given out';

COMMENT ON COLUMN auth.flow_states.sealed IS 'what only we may read, such as nonce, verifier and tokens of the provider';

COMMENT ON COLUMN auth.flow_states.linking IS 'the provider''s identity is added to the user, who has a session already';

CREATE TABLE auth.identities (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    user_id uuid NOT NULL,
    provider text NOT NULL,
    provider_id text NOT NULL,
    identity_data jsonb DEFAULT '{}'::jsonb NOT NULL,
    email text GENERATED ALWAYS AS (lower((identity_data ->> 'email'::text))) STORED,
    last_sign_in_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
);

COMMENT ON TABLE auth.identities IS 'who a user is for a provider: email, phone, github, …';

COMMENT ON COLUMN auth.identities.provider_id IS 'the provider''s id of the user; for email and phone the user''s own id';

CREATE TABLE auth.mfa_challenges (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    factor_id uuid NOT NULL,
    session_id uuid,
    verified_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL
);

CREATE TABLE auth.mfa_factors (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    user_id uuid NOT NULL,
    friendly_name text,
    factor_type text NOT NULL,
    status text DEFAULT 'unverified'::text NOT NULL,
    secret bytea,
    last_step bigint,
    wrong_tries integer DEFAULT 0 NOT NULL,
    locked_until timestamp with time zone,
    last_challenged_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT mfa_factors_factor_type_check CHECK ((factor_type = ANY (ARRAY['totp'::text, 'recovery_code'::text]))),
    CONSTRAINT mfa_factors_status_check CHECK ((status = ANY (ARRAY['unverified'::text, 'verified'::text])))
);

COMMENT ON COLUMN auth.mfa_factors.secret IS 'sealed; recovery codes have none';

COMMENT ON COLUMN auth.mfa_factors.last_step IS 'of the last code that was taken: none is taken twice (RFC 6238 §5.2)';

COMMENT ON COLUMN auth.mfa_factors.wrong_tries IS 'since the last code that was right';

COMMENT ON COLUMN auth.mfa_factors.locked_until IS 'until then no code is looked at';

CREATE TABLE auth.mfa_recovery_codes (
    factor_id uuid NOT NULL,
    hash bytea NOT NULL,
    used_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

COMMENT ON COLUMN auth.mfa_recovery_codes.hash IS 'SHA-256';

CREATE TABLE auth.one_time_codes (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    user_id uuid NOT NULL,
    purpose text NOT NULL,
    hash bytea NOT NULL,
    address text NOT NULL,
    flow_id uuid,
    tries smallint DEFAULT 0 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT one_time_codes_purpose_check CHECK ((purpose = ANY (ARRAY['signup'::text, 'invite'::text, 'magiclink'::text, 'recovery'::text, 'email_change_current'::text, 'email_change_new'::text, 'reauthentication'::text])))
);

COMMENT ON COLUMN auth.one_time_codes.hash IS 'SHA-256 of the link''s token, which is made of id and digits under a key of ours';

COMMENT ON COLUMN auth.one_time_codes.address IS 'where it was sent';

COMMENT ON COLUMN auth.one_time_codes.flow_id IS 'the flow of a client that wants a code by PKCE instead of tokens';

COMMENT ON COLUMN auth.one_time_codes.tries IS 'how often digits were tried; the link goes on working after too many';

CREATE TABLE auth.sessions (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    user_id uuid NOT NULL,
    aal text DEFAULT 'aal1'::text NOT NULL,
    amr jsonb DEFAULT '[]'::jsonb NOT NULL,
    factor_id uuid,
    counter bigint DEFAULT 0 NOT NULL,
    previous_until timestamp with time zone,
    token_key bytea NOT NULL,
    ip inet,
    user_agent text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    refreshed_at timestamp with time zone DEFAULT now() NOT NULL,
    not_after timestamp with time zone NOT NULL
);

COMMENT ON COLUMN auth.sessions.amr IS 'how its user has signed in: [{method, timestamp}], the newest first';

COMMENT ON COLUMN auth.sessions.counter IS 'that of the refresh token which is good now';

COMMENT ON COLUMN auth.sessions.previous_until IS 'until then the token before it gets the one that is good now, too';

COMMENT ON COLUMN auth.sessions.token_key IS 'what its refresh tokens are signed with, sealed';

COMMENT ON COLUMN auth.sessions.not_after IS 'when it ends if it is not refreshed before';

CREATE TABLE auth.signing_keys (
    kid text NOT NULL,
    algorithm text NOT NULL,
    state text NOT NULL,
    public_jwk jsonb NOT NULL,
    private_key bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    current_at timestamp with time zone,
    retired_at timestamp with time zone,
    CONSTRAINT signing_keys_algorithm_check CHECK ((algorithm = ANY (ARRAY['EdDSA'::text, 'ES256'::text]))),
    CONSTRAINT signing_keys_state_check CHECK ((state = ANY (ARRAY['standby'::text, 'current'::text, 'previous'::text, 'revoked'::text])))
);

COMMENT ON TABLE auth.signing_keys IS 'what access tokens are signed with';

COMMENT ON COLUMN auth.signing_keys.kid IS 'the thumbprint of its public half (RFC 7638)';

COMMENT ON COLUMN auth.signing_keys.private_key IS 'PKCS #8, sealed';

CREATE TABLE auth.users (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    aud text DEFAULT 'authenticated'::text NOT NULL,
    role text DEFAULT 'authenticated'::text NOT NULL,
    email text,
    email_confirmed_at timestamp with time zone,
    email_change text,
    email_change_confirm_status smallint DEFAULT 0 NOT NULL,
    phone text,
    phone_confirmed_at timestamp with time zone,
    encrypted_password text,
    invited_at timestamp with time zone,
    confirmation_sent_at timestamp with time zone,
    recovery_sent_at timestamp with time zone,
    email_change_sent_at timestamp with time zone,
    reauthentication_sent_at timestamp with time zone,
    last_sign_in_at timestamp with time zone,
    raw_app_meta_data jsonb DEFAULT '{}'::jsonb NOT NULL,
    raw_user_meta_data jsonb DEFAULT '{}'::jsonb NOT NULL,
    labels text[] DEFAULT '{}'::text[] NOT NULL,
    banned_until timestamp with time zone,
    is_anonymous boolean DEFAULT false NOT NULL,
    is_sso_user boolean DEFAULT false NOT NULL,
    deleted_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    confirmed_at timestamp with time zone GENERATED ALWAYS AS (LEAST(email_confirmed_at, phone_confirmed_at)) STORED
);

COMMENT ON COLUMN auth.users.email IS 'in lower case';

COMMENT ON COLUMN auth.users.email_change IS 'the new address, until it is confirmed';

COMMENT ON COLUMN auth.users.email_change_confirm_status IS 'how many of the two addresses have confirmed';

COMMENT ON COLUMN auth.users.encrypted_password IS 'a hash in PHC format (argon2id), or as it was imported';

COMMENT ON COLUMN auth.users.raw_app_meta_data IS 'what only operators change: provider, providers, …';

COMMENT ON COLUMN auth.users.raw_user_meta_data IS 'what users write of themselves';

COMMENT ON COLUMN auth.users.labels IS 'roles label:x';

ALTER TABLE ONLY auth.flow_states
    ADD CONSTRAINT flow_states_code_hash_key UNIQUE (code_hash);

ALTER TABLE ONLY auth.flow_states
    ADD CONSTRAINT flow_states_pkey PRIMARY KEY (id);

ALTER TABLE ONLY auth.identities
    ADD CONSTRAINT identities_pkey PRIMARY KEY (id);

ALTER TABLE ONLY auth.identities
    ADD CONSTRAINT identities_provider_provider_id_key UNIQUE (provider, provider_id);

ALTER TABLE ONLY auth.mfa_challenges
    ADD CONSTRAINT mfa_challenges_pkey PRIMARY KEY (id);

ALTER TABLE ONLY auth.mfa_factors
    ADD CONSTRAINT mfa_factors_pkey PRIMARY KEY (id);

ALTER TABLE ONLY auth.mfa_recovery_codes
    ADD CONSTRAINT mfa_recovery_codes_pkey PRIMARY KEY (factor_id, hash);

ALTER TABLE ONLY auth.one_time_codes
    ADD CONSTRAINT one_time_codes_pkey PRIMARY KEY (id);

ALTER TABLE ONLY auth.one_time_codes
    ADD CONSTRAINT one_time_codes_user_id_purpose_key UNIQUE (user_id, purpose);

ALTER TABLE ONLY auth.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (id);

ALTER TABLE ONLY auth.signing_keys
    ADD CONSTRAINT signing_keys_pkey PRIMARY KEY (kid);

ALTER TABLE ONLY auth.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);

CREATE INDEX flow_states_expires_at ON auth.flow_states USING btree (expires_at);

CREATE INDEX flow_states_user ON auth.flow_states USING btree (user_id);

CREATE INDEX identities_user ON auth.identities USING btree (user_id);

CREATE INDEX mfa_challenges_expires_at ON auth.mfa_challenges USING btree (expires_at);

CREATE INDEX mfa_challenges_factor ON auth.mfa_challenges USING btree (factor_id);

CREATE INDEX mfa_challenges_session ON auth.mfa_challenges USING btree (session_id);

CREATE UNIQUE INDEX mfa_factors_name ON auth.mfa_factors USING btree (user_id, friendly_name) WHERE (friendly_name <> ''::text);

CREATE UNIQUE INDEX mfa_factors_recovery_codes ON auth.mfa_factors USING btree (user_id) WHERE (factor_type = 'recovery_code'::text);

CREATE INDEX mfa_factors_user ON auth.mfa_factors USING btree (user_id);

CREATE INDEX one_time_codes_address ON auth.one_time_codes USING btree (address);

CREATE INDEX one_time_codes_expires_at ON auth.one_time_codes USING btree (expires_at);

CREATE INDEX one_time_codes_flow ON auth.one_time_codes USING btree (flow_id);

CREATE INDEX one_time_codes_hash ON auth.one_time_codes USING btree (hash);

CREATE INDEX sessions_not_after ON auth.sessions USING btree (not_after);

CREATE INDEX sessions_user ON auth.sessions USING btree (user_id, created_at);

CREATE UNIQUE INDEX signing_keys_current ON auth.signing_keys USING btree (state) WHERE (state = 'current'::text);

CREATE INDEX users_anonymous ON auth.users USING btree (created_at) WHERE is_anonymous;

CREATE INDEX users_created_at ON auth.users USING btree (created_at, id);

CREATE UNIQUE INDEX users_email ON auth.users USING btree (email);

CREATE UNIQUE INDEX users_phone ON auth.users USING btree (phone);

ALTER TABLE ONLY auth.flow_states
    ADD CONSTRAINT flow_states_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY auth.identities
    ADD CONSTRAINT identities_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY auth.mfa_challenges
    ADD CONSTRAINT mfa_challenges_factor_id_fkey FOREIGN KEY (factor_id) REFERENCES auth.mfa_factors(id) ON DELETE CASCADE;

ALTER TABLE ONLY auth.mfa_challenges
    ADD CONSTRAINT mfa_challenges_session_id_fkey FOREIGN KEY (session_id) REFERENCES auth.sessions(id) ON DELETE CASCADE;

ALTER TABLE ONLY auth.mfa_factors
    ADD CONSTRAINT mfa_factors_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY auth.mfa_recovery_codes
    ADD CONSTRAINT mfa_recovery_codes_factor_id_fkey FOREIGN KEY (factor_id) REFERENCES auth.mfa_factors(id) ON DELETE CASCADE;

ALTER TABLE ONLY auth.one_time_codes
    ADD CONSTRAINT one_time_codes_flow_id_fkey FOREIGN KEY (flow_id) REFERENCES auth.flow_states(id) ON DELETE SET NULL;

ALTER TABLE ONLY auth.one_time_codes
    ADD CONSTRAINT one_time_codes_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY auth.sessions
    ADD CONSTRAINT sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE;

CREATE TABLE backups (
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

COMMENT ON COLUMN backups.run IS 'the dump that may go on; objects of others under this backup are left over';

COMMENT ON COLUMN backups.bytes IS 'of rows as they were copied, of about expected_bytes; size: as they are stored';

ALTER TABLE ONLY backups
    ADD CONSTRAINT backups_pkey PRIMARY KEY (id);

CREATE UNIQUE INDEX backups_running ON backups USING btree (status) WHERE (status = 'running'::text);

CREATE TABLE cost_readings (
    project text NOT NULL,
    period_start timestamp with time zone NOT NULL,
    period_end timestamp with time zone NOT NULL,
    read_at timestamp with time zone,
    tried_at timestamp with time zone NOT NULL,
    trouble text,
    spent numeric,
    forecast numeric,
    reading jsonb
);

COMMENT ON COLUMN cost_readings.project IS 'its id; `here` where the suite does not run on Railway';

COMMENT ON COLUMN cost_readings.tried_at IS 'when it was last asked for, whether it was told or not';

COMMENT ON COLUMN cost_readings.trouble IS 'why it was not told then; null: it was';

COMMENT ON COLUMN cost_readings.spent IS 'dollars, not rounded';

COMMENT ON COLUMN cost_readings.forecast IS 'dollars at the end of the period; null: too early to say';

ALTER TABLE ONLY cost_readings
    ADD CONSTRAINT cost_readings_pkey PRIMARY KEY (project, period_start);

CREATE INDEX cost_readings_old ON cost_readings USING btree (period_end);

CREATE TABLE devices (
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

COMMENT ON COLUMN devices.service IS 'fcm, or the origin of the push service; messages to one service share a job key';

COMMENT ON COLUMN devices.sealed IS 'token or subscription, AES-256-GCM under a key derived from OGEL_SECRET';

COMMENT ON COLUMN devices.subject IS 'whose it is, in the words of the caller';

COMMENT ON COLUMN devices.disabled_at IS 'when its provider said that it is gone; null: it is enabled';

ALTER TABLE ONLY devices
    ADD CONSTRAINT devices_pkey PRIMARY KEY (id);

CREATE UNIQUE INDEX devices_address ON devices USING btree (address_hash);

CREATE INDEX devices_disabled ON devices USING btree (disabled_at) WHERE (disabled_at IS NOT NULL);

CREATE INDEX devices_subject ON devices USING btree (subject, id) WHERE (subject IS NOT NULL);

CREATE TABLE event_ids (
    id text NOT NULL COLLATE pg_catalog."C",
    deliveries integer NOT NULL
);

COMMENT ON TABLE event_ids IS 'ids of events that retention has deleted, and what publishing them answered';

ALTER TABLE ONLY event_ids
    ADD CONSTRAINT event_ids_pkey PRIMARY KEY (id);

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

CREATE INDEX events_subject ON events USING btree (subject, created_at, id) WHERE (subject IS NOT NULL);

CREATE INDEX events_type ON events USING btree (type, created_at, id);

CREATE TABLE health_checks (
    checked_at timestamp with time zone DEFAULT now() NOT NULL,
    status text NOT NULL,
    checks jsonb NOT NULL,
    CONSTRAINT health_checks_status_check CHECK ((status = ANY (ARRAY['healthy'::text, 'degraded'::text, 'unhealthy'::text])))
);

ALTER TABLE ONLY health_checks
    ADD CONSTRAINT health_checks_pkey PRIMARY KEY (checked_at);

CREATE TABLE job_keys (
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

COMMENT ON COLUMN job_keys.key_limit IS 'most jobs in flight at once, per worker process';

COMMENT ON COLUMN job_keys.held IS 'paused: nothing of this key is claimed';

COMMENT ON COLUMN job_keys.resume_at IS 'slowed down: nothing before this time';

COMMENT ON COLUMN job_keys.probe_at IS 'the breaker is open: one job at this time, and every probe_seconds after it';

COMMENT ON COLUMN job_keys.ramp_from IS 'the breaker closed then: claims grow from a trickle to full speed';

COMMENT ON COLUMN job_keys.spent_until IS 'the rate limit''s theoretical arrival time (generic cell rate algorithm)';

COMMENT ON COLUMN job_keys.ramp_until IS 'the ramp ends then, and nothing holds the key back';

ALTER TABLE ONLY job_keys
    ADD CONSTRAINT job_keys_pkey PRIMARY KEY (key);

CREATE TABLE job_queue (
    id text NOT NULL,
    queue_name text NOT NULL,
    kind text NOT NULL,
    payload jsonb NOT NULL,
    status text DEFAULT 'pending'::text NOT NULL,
    priority smallint DEFAULT 0 NOT NULL,
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

COMMENT ON COLUMN job_queue.priority IS '-1 urgent, 0 first attempts, 1 retries, 2 replays, 3 what can wait: lower ones are claimed first';

COMMENT ON COLUMN job_queue.key IS 'jobs of one key share what job_keys says, e.g. the webhook endpoint; empty: none';

COMMENT ON COLUMN job_queue.lease_id IS 'the claim that holds this job; a result is accepted from this claim only';

COMMENT ON COLUMN job_queue.order_key IS 'jobs of one key and order_key run one at a time, in the order of seq; empty: in any';

COMMENT ON COLUMN job_queue.claimed_at IS 'when the present, or the last, claim began';

COMMENT ON COLUMN job_queue.lost_claims IS 'when claims began that never said how they ended, since the last that did';

COMMENT ON COLUMN job_queue.cancelled_at IS 'somebody wants it to end: its worker stops it, and no other begins it';

COMMENT ON COLUMN job_queue.progress IS '{"done", "total", "note"} as its kind reports it';

COMMENT ON COLUMN job_queue.keep_result_seconds IS 'how long job_results keeps its end; null: not at all';

ALTER TABLE job_queue ALTER COLUMN seq ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME job_queue_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

ALTER TABLE ONLY job_queue
    ADD CONSTRAINT job_queue_pkey PRIMARY KEY (id);

CREATE INDEX job_queue_cancelled ON job_queue USING btree (lease_id) WHERE (cancelled_at IS NOT NULL);

CREATE INDEX job_queue_claim ON job_queue USING btree (queue_name, key, order_key, priority, COALESCE(leased_until, scheduled_at)) WHERE (status = ANY (ARRAY['pending'::text, 'running'::text]));

CREATE INDEX job_queue_dead_key ON job_queue USING btree (key) WHERE ((status = 'dead'::text) AND (key <> ''::text));

CREATE INDEX job_queue_dead_order ON job_queue USING btree (COALESCE(processed_at, created_at), id) WHERE (status = 'dead'::text);

CREATE UNIQUE INDEX job_queue_dedupe ON job_queue USING btree (dedupe_key) WHERE ((dedupe_key IS NOT NULL) AND (status <> 'dead'::text));

CREATE INDEX job_queue_due ON job_queue USING btree (queue_name, GREATEST(leased_until, scheduled_at)) WHERE (status = ANY (ARRAY['pending'::text, 'running'::text]));

CREATE INDEX job_queue_order ON job_queue USING btree (queue_name, key, order_key, seq) WHERE ((status = ANY (ARRAY['pending'::text, 'running'::text])) AND (order_key <> ''::text));

CREATE INDEX job_queue_status ON job_queue USING btree (queue_name, status, id);

CREATE TABLE job_results (
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

ALTER TABLE ONLY job_results
    ADD CONSTRAINT job_results_pkey PRIMARY KEY (id);

CREATE INDEX job_results_expires ON job_results USING btree (expires_at);

CREATE TABLE mail_attempts (
    id bigint NOT NULL,
    message_id text NOT NULL COLLATE pg_catalog."C",
    provider text,
    started_at timestamp with time zone NOT NULL,
    seconds double precision,
    error text
);

COMMENT ON COLUMN mail_attempts.provider IS 'null: a worker began this attempt and disappeared';

ALTER TABLE mail_attempts ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME mail_attempts_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

ALTER TABLE ONLY mail_attempts
    ADD CONSTRAINT mail_attempts_pkey PRIMARY KEY (id);

CREATE INDEX mail_attempts_message ON mail_attempts USING btree (message_id, id);

CREATE TABLE mail_messages (
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

COMMENT ON COLUMN mail_messages.address IS 'of the recipient, in the one way to write it that suppressions use';

COMMENT ON COLUMN mail_messages.queued_at IS 'when it was last asked for: at first, or by a retry';

ALTER TABLE ONLY mail_messages
    ADD CONSTRAINT mail_messages_pkey PRIMARY KEY (id);

CREATE INDEX mail_messages_address ON mail_messages USING btree (address, id);

CREATE INDEX mail_messages_finished ON mail_messages USING btree (finished_at) WHERE (finished_at IS NOT NULL);

CREATE INDEX mail_messages_request ON mail_messages USING btree (request_id);

CREATE INDEX mail_messages_status ON mail_messages USING btree (status, id);

ALTER TABLE ONLY mail_messages
    ADD CONSTRAINT mail_messages_request_id_fkey FOREIGN KEY (request_id) REFERENCES mail_requests(id);

CREATE TABLE mail_requests (
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
    sealed bytea,
    lifetime_seconds integer
);

COMMENT ON COLUMN mail_requests.fingerprint IS 'of the body asked with: another body under the same key is refused';

COMMENT ON COLUMN mail_requests.answer IS 'what was answered, for the same key again';

COMMENT ON COLUMN mail_requests.sealed IS 'subject and bodies, sealed, of mail that nobody else may read; null again once it is sent';

COMMENT ON COLUMN mail_requests.lifetime_seconds IS 'messages that are not sent so long after they were queued have failed; null: they are sent whenever that is possible';

ALTER TABLE ONLY mail_requests
    ADD CONSTRAINT mail_requests_idempotency_key_key UNIQUE (idempotency_key);

ALTER TABLE ONLY mail_requests
    ADD CONSTRAINT mail_requests_pkey PRIMARY KEY (id);

CREATE TABLE mail_suppressions (
    address text NOT NULL COLLATE pg_catalog."C",
    reason text NOT NULL,
    detail text,
    message_id text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT mail_suppressions_reason_check CHECK ((reason = ANY (ARRAY['bounce'::text, 'complaint'::text, 'unsubscribe'::text, 'manual'::text])))
);

ALTER TABLE ONLY mail_suppressions
    ADD CONSTRAINT mail_suppressions_pkey PRIMARY KEY (address);

CREATE TABLE maintenance (
    only_one boolean DEFAULT true NOT NULL,
    message text NOT NULL,
    retry_after_seconds integer NOT NULL,
    since timestamp with time zone DEFAULT now() NOT NULL,
    switched_by text NOT NULL,
    CONSTRAINT maintenance_only_one_check CHECK (only_one)
);

ALTER TABLE ONLY maintenance
    ADD CONSTRAINT maintenance_pkey PRIMARY KEY (only_one);

CREATE TABLE message_attempts (
    id text NOT NULL,
    message_id text NOT NULL,
    provider text,
    outcome text NOT NULL,
    error text,
    started_at timestamp with time zone NOT NULL,
    duration_seconds real,
    CONSTRAINT message_attempts_outcome_check CHECK ((outcome = ANY (ARRAY['sent'::text, 'failed'::text, 'unknown'::text])))
);

COMMENT ON COLUMN message_attempts.outcome IS 'unknown: its worker disappeared before it could say, and nobody knows of which provider';

ALTER TABLE ONLY message_attempts
    ADD CONSTRAINT message_attempts_pkey PRIMARY KEY (id);

CREATE INDEX message_attempts_message ON message_attempts USING btree (message_id, id);

CREATE TABLE message_requests (
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    answer json NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

COMMENT ON COLUMN message_requests.fingerprint IS 'SHA-256 of the request; another one with the same key is refused';

ALTER TABLE ONLY message_requests
    ADD CONSTRAINT message_requests_pkey PRIMARY KEY (key);

CREATE INDEX message_requests_created ON message_requests USING btree (created_at);

CREATE TABLE messages (
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

COMMENT ON COLUMN messages.recipient IS 'a number (E.164), or the id of a device';

COMMENT ON COLUMN messages.lifetime_seconds IS 'counted from queued_at: what is not sent by then has failed';

COMMENT ON COLUMN messages.queued_at IS 'when it was accepted, or retried';

ALTER TABLE ONLY messages
    ADD CONSTRAINT messages_pkey PRIMARY KEY (id);

CREATE INDEX messages_channel ON messages USING btree (channel, id);

CREATE INDEX messages_finished ON messages USING btree (finished_at) WHERE (finished_at IS NOT NULL);

CREATE INDEX messages_recipient ON messages USING btree (recipient, id);

CREATE INDEX messages_status ON messages USING btree (status, id) WHERE (status <> 'sent'::text);

CREATE TABLE paused_queues (
    name text NOT NULL,
    paused_at timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE ONLY paused_queues
    ADD CONSTRAINT paused_queues_pkey PRIMARY KEY (name);

CREATE TABLE platform_database_health (
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

COMMENT ON COLUMN platform_database_health.failures IS 'checks in a row that did not reach it';

COMMENT ON COLUMN platform_database_health.size_bytes IS 'out of the statistics; of redis the memory it uses';

COMMENT ON COLUMN platform_database_health.measured_at IS 'when stats were; they outlive an outage';

ALTER TABLE ONLY platform_database_health
    ADD CONSTRAINT platform_database_health_pkey PRIMARY KEY (database_id);

ALTER TABLE ONLY platform_database_health
    ADD CONSTRAINT platform_database_health_database_id_fkey FOREIGN KEY (database_id) REFERENCES platform_databases(id) ON DELETE CASCADE;

CREATE TABLE platform_database_migration_files (
    run_id text NOT NULL,
    place integer NOT NULL,
    name text NOT NULL,
    checksum text NOT NULL,
    sql text
);

COMMENT ON COLUMN platform_database_migration_files.sql IS 'forgotten when nothing can begin the run again';

ALTER TABLE ONLY platform_database_migration_files
    ADD CONSTRAINT platform_database_migration_files_pkey PRIMARY KEY (run_id, place);

ALTER TABLE ONLY platform_database_migration_files
    ADD CONSTRAINT platform_database_migration_files_run_id_fkey FOREIGN KEY (run_id) REFERENCES platform_database_migrations(id) ON DELETE CASCADE;

CREATE TABLE platform_database_migrations (
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

COMMENT ON COLUMN platform_database_migrations.done IS 'files that are applied, by this run or before it';

COMMENT ON COLUMN platform_database_migrations.before IS 'files that were applied when it began';

COMMENT ON COLUMN platform_database_migrations.waiting IS 'why it does not go on for now';

ALTER TABLE ONLY platform_database_migrations
    ADD CONSTRAINT platform_database_migrations_pkey PRIMARY KEY (id);

CREATE INDEX platform_database_migrations_database ON platform_database_migrations USING btree (database_id, id);

CREATE INDEX platform_database_migrations_finished ON platform_database_migrations USING btree (finished_at) WHERE (finished_at IS NOT NULL);

CREATE UNIQUE INDEX platform_database_migrations_unfinished ON platform_database_migrations USING btree (database_id) WHERE (status = 'running'::text);

ALTER TABLE ONLY platform_database_migrations
    ADD CONSTRAINT platform_database_migrations_database_id_fkey FOREIGN KEY (database_id) REFERENCES platform_databases(id) ON DELETE CASCADE;

CREATE TABLE platform_databases (
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

COMMENT ON COLUMN platform_databases.auth_source IS 'of mongodb: the database that knows the user';

COMMENT ON COLUMN platform_databases.version IS 'changes with where it is and who we are to it; checks of an earlier one do not count';

ALTER TABLE ONLY platform_databases
    ADD CONSTRAINT platform_databases_name_key UNIQUE (name);

ALTER TABLE ONLY platform_databases
    ADD CONSTRAINT platform_databases_pkey PRIMARY KEY (id);

CREATE TABLE processes (
    id text NOT NULL,
    name text NOT NULL,
    flush integer NOT NULL,
    memory_bytes bigint NOT NULL,
    cpu_seconds double precision NOT NULL,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    seen_at timestamp with time zone DEFAULT now() NOT NULL
)
WITH (fillfactor='50');

COMMENT ON COLUMN processes.name IS 'what it does and where: "worker-webhooks host:pid"';

COMMENT ON COLUMN processes.cpu_seconds IS 'user and system, since it started';

ALTER TABLE ONLY processes
    ADD CONSTRAINT processes_pkey PRIMARY KEY (id);

CREATE TABLE purge_runs (
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

COMMENT ON COLUMN purge_runs.before IS 'what is older goes';

COMMENT ON COLUMN purge_runs.total IS 'as many there were when it began';

COMMENT ON COLUMN purge_runs.total_is_least IS 'there were that many or more: they were counted no further';

COMMENT ON COLUMN purge_runs.cursor IS '[time, id] of the last row that was looked at; null: from the beginning';

ALTER TABLE ONLY purge_runs
    ADD CONSTRAINT purge_runs_pkey PRIMARY KEY (name);

CREATE TABLE realtime_channels (
    name text NOT NULL,
    epoch text NOT NULL,
    top bigint NOT NULL,
    published_at timestamp with time zone NOT NULL
)
WITH (fillfactor='50', autovacuum_vacuum_scale_factor='0.05');

COMMENT ON COLUMN realtime_channels.epoch IS 'another one: positions before mean nothing any more';

COMMENT ON COLUMN realtime_channels.top IS 'the number of the latest publication; who publishes holds the row until the commit';

ALTER TABLE ONLY realtime_channels
    ADD CONSTRAINT realtime_channels_pkey PRIMARY KEY (name);

CREATE SEQUENCE realtime_clock
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

CREATE TABLE realtime_listening (
    process text NOT NULL,
    until timestamp with time zone NOT NULL
);

COMMENT ON COLUMN realtime_listening.until IS 'somebody listens to it, or did a while ago; past it, nobody does, or it died';

ALTER TABLE ONLY realtime_listening
    ADD CONSTRAINT realtime_listening_pkey PRIMARY KEY (process);

CREATE TABLE realtime_namespaces (
    name text NOT NULL,
    history_size integer NOT NULL,
    history_seconds integer NOT NULL,
    subscribe_roles text[] DEFAULT '{}'::text[] NOT NULL,
    publish_roles text[] DEFAULT '{}'::text[] NOT NULL,
    has_presence boolean DEFAULT true NOT NULL,
    changed_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT realtime_namespaces_history_seconds_check CHECK ((history_seconds >= 0)),
    CONSTRAINT realtime_namespaces_history_size_check CHECK ((history_size >= 0))
);

COMMENT ON TABLE realtime_namespaces IS 'the rules of channels NAME:…; the row without a name is for all others';

COMMENT ON COLUMN realtime_namespaces.subscribe_roles IS 'of people; keys may by their scopes';

ALTER TABLE ONLY realtime_namespaces
    ADD CONSTRAINT realtime_namespaces_pkey PRIMARY KEY (name);

CREATE TABLE realtime_publications (
    channel text NOT NULL,
    number bigint NOT NULL,
    data text,
    event_id text,
    tags jsonb,
    roles text[],
    idempotency_key text,
    published_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT realtime_publications_check CHECK (((data IS NULL) <> (event_id IS NULL)))
)
WITH (autovacuum_vacuum_scale_factor='0.05');

COMMENT ON COLUMN realtime_publications.event_id IS 'its data are those of the event';

ALTER TABLE ONLY realtime_publications
    ADD CONSTRAINT realtime_publications_pkey PRIMARY KEY (channel, number);

CREATE INDEX realtime_publications_expires_at ON realtime_publications USING btree (expires_at);

CREATE UNIQUE INDEX realtime_publications_idempotency_key ON realtime_publications USING btree (channel, idempotency_key) WHERE (idempotency_key IS NOT NULL);

CREATE TABLE resource_samples (
    name text NOT NULL,
    sampled_at timestamp with time zone NOT NULL,
    labels jsonb NOT NULL,
    value double precision NOT NULL
);

ALTER TABLE ONLY resource_samples
    ADD CONSTRAINT resource_samples_pkey PRIMARY KEY (name, sampled_at, labels);

CREATE INDEX resource_samples_sampled_at ON resource_samples USING brin (sampled_at) WITH (autosummarize='on');

CREATE TABLE s3_keys (
    id text NOT NULL,
    name text NOT NULL,
    secret bytea NOT NULL,
    buckets text[],
    read_only boolean DEFAULT false NOT NULL,
    made_by text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    last_used_at timestamp with time zone,
    revoked_at timestamp with time zone
);

COMMENT ON COLUMN s3_keys.id IS 'the access key id';

COMMENT ON COLUMN s3_keys.secret IS 'the secret access key, sealed: signatures cannot be checked against a hash of it';

COMMENT ON COLUMN s3_keys.buckets IS 'those it may use; null: all';

ALTER TABLE ONLY s3_keys
    ADD CONSTRAINT s3_keys_pkey PRIMARY KEY (id);

CREATE TABLE schedule_changes (
    version bigint NOT NULL
);

CREATE TABLE schedules (
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

COMMENT ON COLUMN schedules.id IS 'of a schedule that a user made; NULL: a feature declares it';

COMMENT ON COLUMN schedules.cron IS 'of a declared one: what next_tick_at was last counted by';

COMMENT ON COLUMN schedules.job_queue IS 'where its job is shown as dead once no feature performs job_kind any more';

COMMENT ON COLUMN schedules.counted_from IS 'ticks up to here are not run: it was made, changed or resumed then';

ALTER TABLE ONLY schedules
    ADD CONSTRAINT schedules_id_key UNIQUE (id);

ALTER TABLE ONLY schedules
    ADD CONSTRAINT schedules_pkey PRIMARY KEY (name);

CREATE TABLE schema_migrations (
    version bigint NOT NULL,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE ONLY schema_migrations
    ADD CONSTRAINT schema_migrations_pkey PRIMARY KEY (version);

CREATE TABLE slo_commits (
    deployment text NOT NULL,
    committed_at timestamp with time zone NOT NULL,
    noted_at timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE ONLY slo_commits
    ADD CONSTRAINT slo_commits_pkey PRIMARY KEY (deployment);

CREATE TABLE slo_deltas (
    id bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    series text NOT NULL,
    total bigint NOT NULL,
    bad bigint NOT NULL,
    buckets smallint[] NOT NULL,
    counts bigint[] NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0.0', autovacuum_vacuum_threshold='5000');

ALTER TABLE slo_deltas ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME slo_deltas_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

ALTER TABLE ONLY slo_deltas
    ADD CONSTRAINT slo_deltas_pkey PRIMARY KEY (id);

CREATE TABLE slo_tallies (
    bucket text NOT NULL,
    at timestamp with time zone NOT NULL,
    series text NOT NULL,
    total bigint NOT NULL,
    bad bigint NOT NULL,
    buckets smallint[] NOT NULL,
    counts bigint[] NOT NULL,
    CONSTRAINT slo_tallies_bucket_check CHECK ((bucket = ANY (ARRAY['minute'::text, 'hour'::text, 'day'::text])))
)
WITH (fillfactor='70');

COMMENT ON COLUMN slo_tallies.series IS 'what was counted: "http.read", "queue.mail", "database", "ended.webhooks.deliver"';

COMMENT ON COLUMN slo_tallies.buckets IS 'lengths of time, each 1 % longer than the one before: 1.01^bucket microseconds';

COMMENT ON COLUMN slo_tallies.counts IS 'how many took as long, bucket by bucket; those without a length are in total alone';

ALTER TABLE ONLY slo_tallies
    ADD CONSTRAINT slo_tallies_pkey PRIMARY KEY (bucket, at, series);

CREATE TABLE slo_uptime (
    hour timestamp with time zone NOT NULL,
    up bit(60) NOT NULL,
    maintenance bit(60) NOT NULL
)
WITH (fillfactor='70');

COMMENT ON COLUMN slo_uptime.up IS 'a process that serves the API was checked in that minute, and was well';

COMMENT ON COLUMN slo_uptime.maintenance IS 'there was maintenance in that minute, so that it does not count';

ALTER TABLE ONLY slo_uptime
    ADD CONSTRAINT slo_uptime_pkey PRIMARY KEY (hour);

CREATE TABLE storage.buckets (
    id text NOT NULL,
    name text NOT NULL,
    owner uuid,
    owner_id text,
    public boolean DEFAULT false NOT NULL,
    avif_autodetection boolean DEFAULT false NOT NULL,
    file_size_limit bigint,
    allowed_mime_types text[],
    type text DEFAULT 'STANDARD'::text NOT NULL,
    permissions jsonb,
    lifecycle jsonb DEFAULT '[]'::jsonb NOT NULL,
    scanned boolean DEFAULT false NOT NULL,
    encrypted boolean DEFAULT false NOT NULL,
    redirects boolean DEFAULT false NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT buckets_file_size_limit_check CHECK ((file_size_limit >= 0))
);

COMMENT ON COLUMN storage.buckets.name IS 'the same as its id, as in Supabase';

COMMENT ON COLUMN storage.buckets.file_size_limit IS 'bytes of an object at most; null: what the suite takes';

COMMENT ON COLUMN storage.buckets.allowed_mime_types IS 'types or type/*; null or empty: all';

COMMENT ON COLUMN storage.buckets.permissions IS 'what roles may do without a policy: {read|create|update|delete: [role, …]}; `owner` is who made the object';

COMMENT ON COLUMN storage.buckets.lifecycle IS 'rules: [{prefix, age_days, action}]';

COMMENT ON COLUMN storage.buckets.scanned IS 'objects can be read once a scanner has found them clean';

COMMENT ON COLUMN storage.buckets.encrypted IS 'new objects are encrypted before they are stored';

COMMENT ON COLUMN storage.buckets.redirects IS 'downloads are sent to the store by a signed URL';

CREATE TABLE storage.objects (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    bucket_id text NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    owner uuid,
    owner_id text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    last_accessed_at timestamp with time zone DEFAULT now() NOT NULL,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    path_tokens text[] GENERATED ALWAYS AS (string_to_array(name, '/'::text)) STORED,
    folded text GENERATED ALWAYS AS (storage_folded(name)) STORED COLLATE pg_catalog."C",
    version text NOT NULL,
    user_metadata jsonb,
    sha256 bytea,
    expires_at timestamp with time zone,
    scan_state text DEFAULT 'none'::text NOT NULL,
    CONSTRAINT objects_scan_state_check CHECK ((scan_state = ANY (ARRAY['none'::text, 'pending'::text, 'clean'::text, 'infected'::text, 'failed'::text])))
);

COMMENT ON COLUMN storage.objects.metadata IS 'eTag, size, mimetype, cacheControl, lastModified, contentLength, httpStatusCode';

COMMENT ON COLUMN storage.objects.folded IS 'the name, for lists of folders';

COMMENT ON COLUMN storage.objects.version IS 'changes with the content: the version of its blobs';

COMMENT ON COLUMN storage.objects.user_metadata IS 'what clients wrote of it';

COMMENT ON COLUMN storage.objects.sha256 IS 'of the whole content; null: it came in parts';

COMMENT ON COLUMN storage.objects.expires_at IS 'when it is deleted; null: never';

ALTER TABLE ONLY storage.buckets
    ADD CONSTRAINT buckets_name_key UNIQUE (name);

ALTER TABLE ONLY storage.buckets
    ADD CONSTRAINT buckets_pkey PRIMARY KEY (id);

ALTER TABLE ONLY storage.objects
    ADD CONSTRAINT objects_bucket_id_name_key UNIQUE (bucket_id, name);

ALTER TABLE ONLY storage.objects
    ADD CONSTRAINT objects_pkey PRIMARY KEY (id);

CREATE INDEX buckets_with_permissions ON storage.buckets USING btree (id) WHERE (permissions IS NOT NULL);

CREATE INDEX objects_created ON storage.objects USING btree (bucket_id, created_at, name);

CREATE INDEX objects_expire ON storage.objects USING btree (expires_at) WHERE (expires_at IS NOT NULL);

CREATE INDEX objects_folded ON storage.objects USING btree (bucket_id, folded);

CREATE INDEX objects_unscanned ON storage.objects USING btree (updated_at) WHERE (scan_state = ANY (ARRAY['pending'::text, 'failed'::text]));

CREATE UNIQUE INDEX objects_version ON storage.objects USING btree (version);

ALTER TABLE ONLY storage.objects
    ADD CONSTRAINT objects_bucket_id_fkey FOREIGN KEY (bucket_id) REFERENCES storage.buckets(id);

ALTER TABLE storage.buckets ENABLE ROW LEVEL SECURITY;

ALTER TABLE storage.objects ENABLE ROW LEVEL SECURITY;

CREATE TABLE storage_blobs (
    key text NOT NULL COLLATE pg_catalog."C",
    state text DEFAULT 'pending'::text NOT NULL,
    until timestamp with time zone NOT NULL,
    version text,
    "position" integer DEFAULT 0 NOT NULL,
    bucket_id text,
    owner_id text,
    size bigint DEFAULT 0 NOT NULL,
    md5 bytea,
    sealed_key bytea,
    rendition_of text,
    rendition text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT storage_blobs_size_check CHECK ((size >= 0)),
    CONSTRAINT storage_blobs_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'live'::text, 'deleting'::text])))
);

COMMENT ON TABLE storage_blobs IS 'what is in the store, or may be: an object''s bytes are the blobs of its version, in the order of their positions';

COMMENT ON COLUMN storage_blobs.state IS 'pending: being written; live: an object''s; deleting: nobody''s any more';

COMMENT ON COLUMN storage_blobs.until IS 'when it is given up (pending) or deleted (deleting)';

COMMENT ON COLUMN storage_blobs.version IS 'of the object or the upload that it belongs to; null: not known yet';

COMMENT ON COLUMN storage_blobs."position" IS 'among those of its version; the part''s number where clients number them';

COMMENT ON COLUMN storage_blobs.size IS 'of what users stored, in bytes; while pending, what is reserved for it';

COMMENT ON COLUMN storage_blobs.sealed_key IS 'what it is encrypted with, sealed; null: it is not encrypted';

COMMENT ON COLUMN storage_blobs.rendition_of IS 'the version of the picture that this one was made of';

COMMENT ON COLUMN storage_blobs.rendition IS 'how it was made: width=…';

ALTER TABLE ONLY storage_blobs
    ADD CONSTRAINT storage_blobs_pkey PRIMARY KEY (key);

CREATE INDEX storage_blobs_due ON storage_blobs USING btree (until) WHERE (state <> 'live'::text);

CREATE INDEX storage_blobs_owner ON storage_blobs USING btree (owner_id) WHERE (owner_id IS NOT NULL);

CREATE UNIQUE INDEX storage_blobs_rendition ON storage_blobs USING btree (rendition_of, rendition) WHERE ((state = 'live'::text) AND (rendition_of IS NOT NULL));

CREATE INDEX storage_blobs_renditions ON storage_blobs USING btree (rendition_of) WHERE (rendition_of IS NOT NULL);

CREATE INDEX storage_blobs_usage ON storage_blobs USING btree (bucket_id) INCLUDE (size) WHERE (state = 'live'::text);

CREATE INDEX storage_blobs_version ON storage_blobs USING btree (version, "position") WHERE (version IS NOT NULL);

CREATE TABLE storage_quotas (
    subject text NOT NULL,
    max_bytes bigint NOT NULL,
    used_bytes bigint DEFAULT 0 NOT NULL,
    reserved_bytes bigint DEFAULT 0 NOT NULL
);

COMMENT ON TABLE storage_quotas IS 'how much a bucket (`bucket:ID`) or a user (`user:ID`) may store; no row: as much as there is';

COMMENT ON COLUMN storage_quotas.reserved_bytes IS 'of uploads under way';

ALTER TABLE ONLY storage_quotas
    ADD CONSTRAINT storage_quotas_pkey PRIMARY KEY (subject);

CREATE TABLE storage_uploads (
    id uuid NOT NULL,
    protocol text NOT NULL,
    bucket_id text,
    name text COLLATE pg_catalog."C",
    owner_id text,
    role text,
    version text NOT NULL,
    length bigint,
    received bigint DEFAULT 0 NOT NULL,
    upsert boolean DEFAULT false NOT NULL,
    facts jsonb DEFAULT '{}'::jsonb NOT NULL,
    concat text,
    lock_token uuid,
    lock_until timestamp with time zone,
    release_asked boolean DEFAULT false NOT NULL,
    finished_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT storage_uploads_check CHECK (((concat = 'partial'::text) OR ((bucket_id IS NOT NULL) AND (name IS NOT NULL)))),
    CONSTRAINT storage_uploads_concat_check CHECK ((concat = ANY (ARRAY['partial'::text, 'final'::text]))),
    CONSTRAINT storage_uploads_protocol_check CHECK ((protocol = ANY (ARRAY['tus'::text, 's3'::text, 'direct'::text])))
);

COMMENT ON TABLE storage_uploads IS 'uploads in several requests';

COMMENT ON COLUMN storage_uploads.bucket_id IS 'null: a part that need not say what it will be a part of';

COMMENT ON COLUMN storage_uploads.role IS 'as whom who began it writes';

COMMENT ON COLUMN storage_uploads.version IS 'of the blobs that have come, and of the object when it is whole';

COMMENT ON COLUMN storage_uploads.length IS 'bytes in all; null: not known yet';

COMMENT ON COLUMN storage_uploads.facts IS 'what is to be written of the object, as the protocol has it';

COMMENT ON COLUMN storage_uploads.lock_token IS 'of the request that writes to it now';

COMMENT ON COLUMN storage_uploads.release_asked IS 'another request waits for the lock';

ALTER TABLE ONLY storage_uploads
    ADD CONSTRAINT storage_uploads_pkey PRIMARY KEY (id);

ALTER TABLE ONLY storage_uploads
    ADD CONSTRAINT storage_uploads_version_key UNIQUE (version);

CREATE INDEX storage_uploads_expire ON storage_uploads USING btree (expires_at);

CREATE INDEX storage_uploads_object ON storage_uploads USING btree (bucket_id, name, id);

CREATE INDEX storage_uploads_owner ON storage_uploads USING btree (owner_id) WHERE ((finished_at IS NULL) AND (owner_id IS NOT NULL));

ALTER TABLE ONLY storage_uploads
    ADD CONSTRAINT storage_uploads_bucket_id_fkey FOREIGN KEY (bucket_id) REFERENCES storage.buckets(id) ON DELETE CASCADE;

CREATE TABLE team_invitations (
    id text NOT NULL,
    team_id text NOT NULL,
    email text NOT NULL,
    roles text[] NOT NULL,
    token_hash bytea NOT NULL,
    invited_by text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL
);

COMMENT ON COLUMN team_invitations.email IS 'where it was sent, in lower case';

COMMENT ON COLUMN team_invitations.token_hash IS 'SHA-256 of the token in its link';

COMMENT ON COLUMN team_invitations.invited_by IS 'the principal who invites: a user, or a key';

ALTER TABLE ONLY team_invitations
    ADD CONSTRAINT team_invitations_pkey PRIMARY KEY (id);

ALTER TABLE ONLY team_invitations
    ADD CONSTRAINT team_invitations_team_id_email_key UNIQUE (team_id, email);

ALTER TABLE ONLY team_invitations
    ADD CONSTRAINT team_invitations_token_hash_key UNIQUE (token_hash);

CREATE INDEX team_invitations_expires_at ON team_invitations USING btree (expires_at);

ALTER TABLE ONLY team_invitations
    ADD CONSTRAINT team_invitations_team_id_fkey FOREIGN KEY (team_id) REFERENCES teams(id) ON DELETE CASCADE;

CREATE TABLE team_members (
    id text NOT NULL,
    team_id text NOT NULL,
    user_id uuid NOT NULL,
    roles text[] NOT NULL,
    joined_at timestamp with time zone DEFAULT now() NOT NULL
);

COMMENT ON TABLE team_members IS 'users in teams; a team whose last owner was deleted has none until an operator names one';

COMMENT ON COLUMN team_members.roles IS 'owner, admin, member, or words of the team''s own, each once';

ALTER TABLE ONLY team_members
    ADD CONSTRAINT team_members_pkey PRIMARY KEY (id);

ALTER TABLE ONLY team_members
    ADD CONSTRAINT team_members_team_id_user_id_key UNIQUE (team_id, user_id);

CREATE INDEX team_members_user ON team_members USING btree (user_id);

ALTER TABLE ONLY team_members
    ADD CONSTRAINT team_members_team_id_fkey FOREIGN KEY (team_id) REFERENCES teams(id) ON DELETE CASCADE;

ALTER TABLE ONLY team_members
    ADD CONSTRAINT team_members_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE;

CREATE TABLE teams (
    id text NOT NULL,
    name text NOT NULL,
    made_by text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
);

COMMENT ON COLUMN teams.made_by IS 'the principal who made it: a user, or a key';

ALTER TABLE ONLY teams
    ADD CONSTRAINT teams_pkey PRIMARY KEY (id);

CREATE TABLE usage (
    bucket text NOT NULL,
    at timestamp with time zone NOT NULL,
    metric text NOT NULL,
    labels jsonb NOT NULL,
    value bigint NOT NULL,
    CONSTRAINT usage_bucket_check CHECK ((bucket = ANY (ARRAY['hour'::text, 'day'::text])))
)
WITH (fillfactor='70');

COMMENT ON COLUMN usage.at IS 'when the hour or the day began, in UTC';

ALTER TABLE ONLY usage
    ADD CONSTRAINT usage_pkey PRIMARY KEY (bucket, at, metric, labels);

CREATE TABLE usage_deltas (
    id bigint NOT NULL,
    process text NOT NULL,
    metric text NOT NULL,
    labels jsonb NOT NULL,
    value bigint NOT NULL,
    counted_at timestamp with time zone DEFAULT now() NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0.0', autovacuum_vacuum_threshold='5000');

ALTER TABLE usage_deltas ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME usage_deltas_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

ALTER TABLE ONLY usage_deltas
    ADD CONSTRAINT usage_deltas_pkey PRIMARY KEY (id);

CREATE TABLE webhook_attempts (
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

COMMENT ON COLUMN webhook_attempts.recorded_at IS 'when it was written down, or told late how it had ended';

ALTER TABLE ONLY webhook_attempts
    ADD CONSTRAINT webhook_attempts_pkey PRIMARY KEY (delivery_id, number);

CREATE INDEX webhook_attempts_recorded_at ON webhook_attempts USING brin (recorded_at) WITH (pages_per_range='32', autosummarize='on');

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

CREATE UNIQUE INDEX webhook_deliveries_event ON webhook_deliveries USING btree (event_id, webhook_id);

CREATE INDEX webhook_deliveries_failed ON webhook_deliveries USING btree (webhook_id, id) WHERE (status = 'failed'::text);

CREATE INDEX webhook_deliveries_finished ON webhook_deliveries USING btree (finished_at) WHERE (finished_at IS NOT NULL);

CREATE INDEX webhook_deliveries_status ON webhook_deliveries USING btree (status, id) WHERE (status <> 'delivered'::text);

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
    kind text DEFAULT 'url'::text NOT NULL,
    CONSTRAINT webhook_endpoints_check CHECK (((state = 'disabled'::text) = (disabled_reason IS NOT NULL))),
    CONSTRAINT webhook_endpoints_compatibility_check CHECK ((compatibility = 'appwrite'::text)),
    CONSTRAINT webhook_endpoints_disabled_reason_check CHECK ((disabled_reason = ANY (ARRAY['failing'::text, 'gone'::text]))),
    CONSTRAINT webhook_endpoints_kind_check CHECK ((kind = ANY (ARRAY['url'::text, 'listener'::text]))),
    CONSTRAINT webhook_endpoints_max_in_flight_check CHECK ((max_in_flight > 0)),
    CONSTRAINT webhook_endpoints_ordered_by_check CHECK ((ordered_by = 'subject'::text)),
    CONSTRAINT webhook_endpoints_payload_check CHECK ((payload = ANY (ARRAY['full'::text, 'thin'::text]))),
    CONSTRAINT webhook_endpoints_state_check CHECK ((state = ANY (ARRAY['enabled'::text, 'paused'::text, 'disabled'::text]))),
    CONSTRAINT webhook_endpoints_timeout_seconds_check CHECK ((timeout_seconds > (0)::double precision))
);

COMMENT ON COLUMN webhook_endpoints.event_likes IS 'event_globs as LIKE patterns, so that fan-out is one indexable question';

COMMENT ON COLUMN webhook_endpoints.headers IS 'plain headers of the version before, until they are sealed; then empty';

COMMENT ON COLUMN webhook_endpoints.compatibility IS 'whose headers are sent besides those of Standard Webhooks';

COMMENT ON COLUMN webhook_endpoints.filter IS 'conditions on the event, see features/webhooks/fanout/filter.py; null: none';

COMMENT ON COLUMN webhook_endpoints.ordered_by IS 'deliveries of one subject are sent one at a time, in order; null: no order';

COMMENT ON COLUMN webhook_endpoints.rate_limit IS '{"per_second": …, "burst": …}; job_keys holds what claims obey';

COMMENT ON COLUMN webhook_endpoints.sealed_headers IS 'JSON object, AES-256-GCM under a key derived from OGEL_SECRET; null: none';

COMMENT ON COLUMN webhook_endpoints.header_hints IS 'the same names with what may be shown of their values';

COMMENT ON COLUMN webhook_endpoints.kind IS 'url: workers send to it; listener: it asks for its deliveries, and url is where it takes them';

ALTER TABLE ONLY webhook_endpoints
    ADD CONSTRAINT webhook_endpoints_pkey PRIMARY KEY (id);

CREATE INDEX webhook_endpoints_listening ON webhook_endpoints USING gin (listening_keys(event_globs)) WITH (fastupdate=off) WHERE (state <> 'disabled'::text);

COMMENT ON COLUMN webhook_handovers.request IS 'what the listener is to send, as JSON';

COMMENT ON COLUMN webhook_handovers.answer_seconds IS 'how long an answer is waited for once it is taken';

COMMENT ON COLUMN webhook_handovers.answer IS 'what came back, as JSON';

ALTER TABLE ONLY webhook_handovers
    ADD CONSTRAINT webhook_handovers_pkey PRIMARY KEY (id);

CREATE INDEX webhook_handovers_open ON webhook_handovers USING btree (webhook_id, id) WHERE (taken_at IS NULL);

ALTER TABLE ONLY webhook_handovers
    ADD CONSTRAINT webhook_handovers_webhook_id_fkey FOREIGN KEY (webhook_id) REFERENCES webhook_endpoints(id) ON DELETE CASCADE;

CREATE TABLE webhook_health (
    webhook_id text NOT NULL,
    failing_since timestamp with time zone DEFAULT now() NOT NULL,
    failures integer NOT NULL,
    failures_in_row integer NOT NULL,
    last_error text NOT NULL,
    opened_at timestamp with time zone,
    warned smallint DEFAULT 0 NOT NULL
)
WITH (fillfactor='50');

COMMENT ON COLUMN webhook_health.failing_since IS 'the first failure after the last success';

COMMENT ON COLUMN webhook_health.failures IS 'since then, of any sort';

COMMENT ON COLUMN webhook_health.failures_in_row IS 'without any answer that shows the receiver alive; these open the breaker';

COMMENT ON COLUMN webhook_health.opened_at IS 'when the breaker opened; null: it is closed';

COMMENT ON COLUMN webhook_health.warned IS 'the percentage of the way to being disabled that was told last';

ALTER TABLE ONLY webhook_health
    ADD CONSTRAINT webhook_health_pkey PRIMARY KEY (webhook_id);

ALTER TABLE ONLY webhook_health
    ADD CONSTRAINT webhook_health_webhook_id_fkey FOREIGN KEY (webhook_id) REFERENCES webhook_endpoints(id) ON DELETE CASCADE;

CREATE TABLE webhook_presence (
    webhook_id text NOT NULL,
    seen_at timestamp with time zone DEFAULT now() NOT NULL
);

COMMENT ON TABLE webhook_presence IS 'when each listener asked last; one that is away for a minute is forgotten';

ALTER TABLE ONLY webhook_presence
    ADD CONSTRAINT webhook_presence_pkey PRIMARY KEY (webhook_id);

ALTER TABLE ONLY webhook_presence
    ADD CONSTRAINT webhook_presence_webhook_id_fkey FOREIGN KEY (webhook_id) REFERENCES webhook_endpoints(id) ON DELETE CASCADE;

CREATE TABLE webhook_replays (
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

COMMENT ON COLUMN webhook_replays.step IS 'the job that may act; one of an earlier step has nothing to do';

COMMENT ON COLUMN webhook_replays.waits IS 'steps in a row that found too much waiting for the endpoint';

COMMENT ON COLUMN webhook_replays.cursor_id IS 'the last event looked at, or delivery where only those are walked (failed)';

COMMENT ON COLUMN webhook_replays.counted_id IS 'like cursor_id, of the count, which goes ahead of the cursor';

ALTER TABLE ONLY webhook_replays
    ADD CONSTRAINT webhook_replays_pkey PRIMARY KEY (id);

CREATE INDEX webhook_replays_finished ON webhook_replays USING btree (finished_at) WHERE (finished_at IS NOT NULL);

CREATE UNIQUE INDEX webhook_replays_unfinished ON webhook_replays USING btree (webhook_id) WHERE (status = ANY (ARRAY['running'::text, 'paused'::text]));

CREATE INDEX webhook_replays_webhook ON webhook_replays USING btree (webhook_id, id);

CREATE TABLE webhook_secrets (
    id text NOT NULL,
    webhook_id text NOT NULL,
    signing text NOT NULL,
    sealed bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone,
    CONSTRAINT webhook_secrets_signing_check CHECK ((signing = ANY (ARRAY['v1'::text, 'v1a'::text])))
);

COMMENT ON COLUMN webhook_secrets.signing IS 'v1: an HMAC-SHA256 key; v1a: an Ed25519 seed and its public key';

COMMENT ON COLUMN webhook_secrets.sealed IS 'AES-256-GCM under a key derived from OGEL_SECRET, whose id it begins with';

COMMENT ON COLUMN webhook_secrets.expires_at IS 'it signs until then; null: until it is replaced';

ALTER TABLE ONLY webhook_secrets
    ADD CONSTRAINT webhook_secrets_pkey PRIMARY KEY (id);

CREATE UNIQUE INDEX webhook_secrets_newest ON webhook_secrets USING btree (webhook_id) WHERE (expires_at IS NULL);

CREATE INDEX webhook_secrets_webhook ON webhook_secrets USING btree (webhook_id);

ALTER TABLE ONLY webhook_secrets
    ADD CONSTRAINT webhook_secrets_webhook_id_fkey FOREIGN KEY (webhook_id) REFERENCES webhook_endpoints(id) ON DELETE CASCADE;

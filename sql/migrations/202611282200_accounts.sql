-- People and what they sign in with. Tables stand in the schema `auth`, where clients of Supabase, and users' foreign keys
-- and triggers, expect `auth.users`; columns that they know have the names that they know. Where somebody has a schema
-- `auth` of their own (a database of Supabase), it stays theirs, and ours is `ogel_auth`: no statement names either, see
-- runtime/database/schemas.py. A role that may not make schemas has them in `ogel`.
-- needs: 202611281830_move_tables_to_schema_ogel
DO $$
DECLARE
  home CONSTANT name := CASE
    WHEN obj_description(to_regnamespace('auth'), 'pg_namespace') = 'Ogel: auth' THEN 'auth'
    WHEN has_database_privilege(current_database(), 'CREATE') THEN 'ogel_auth'
    ELSE 'ogel'
  END;
BEGIN
  IF to_regnamespace(home) IS NULL THEN
    CREATE SCHEMA ogel_auth;
    COMMENT ON SCHEMA ogel_auth IS 'Ogel: ogel_auth';
  END IF;
  PERFORM set_config('search_path', home || ', ogel', true);
END
$$;

CREATE TABLE users (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  aud text NOT NULL DEFAULT 'authenticated',
  role text NOT NULL DEFAULT 'authenticated',
  email text,
  email_confirmed_at timestamptz,
  email_change text,
  email_change_confirm_status smallint NOT NULL DEFAULT 0,
  phone text,
  phone_confirmed_at timestamptz,
  encrypted_password text,
  invited_at timestamptz,
  confirmation_sent_at timestamptz,
  recovery_sent_at timestamptz,
  email_change_sent_at timestamptz,
  reauthentication_sent_at timestamptz,
  last_sign_in_at timestamptz,
  raw_app_meta_data jsonb NOT NULL DEFAULT '{}',
  raw_user_meta_data jsonb NOT NULL DEFAULT '{}',
  labels text[] NOT NULL DEFAULT '{}',
  banned_until timestamptz,
  is_anonymous boolean NOT NULL DEFAULT false,
  is_sso_user boolean NOT NULL DEFAULT false,
  deleted_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  confirmed_at timestamptz GENERATED ALWAYS AS (LEAST(email_confirmed_at, phone_confirmed_at)) STORED
);
COMMENT ON COLUMN users.email IS 'in lower case';
COMMENT ON COLUMN users.email_change IS 'the new address, until it is confirmed';
COMMENT ON COLUMN users.email_change_confirm_status IS 'how many of the two addresses have confirmed';
COMMENT ON COLUMN users.encrypted_password IS 'a hash in PHC format (argon2id), or as it was imported';
COMMENT ON COLUMN users.raw_app_meta_data IS 'what only operators change: provider, providers, …';
COMMENT ON COLUMN users.raw_user_meta_data IS 'what users write of themselves';
COMMENT ON COLUMN users.labels IS 'roles label:x';
CREATE UNIQUE INDEX users_email ON users (email);
CREATE UNIQUE INDEX users_phone ON users (phone);
CREATE INDEX users_created_at ON users (created_at, id);
CREATE INDEX users_anonymous ON users (created_at) WHERE is_anonymous;

CREATE TABLE identities (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
  provider text NOT NULL,
  provider_id text NOT NULL,
  identity_data jsonb NOT NULL DEFAULT '{}',
  email text GENERATED ALWAYS AS (lower(identity_data ->> 'email')) STORED,
  last_sign_in_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (provider, provider_id)
);
COMMENT ON TABLE identities IS 'who a user is for a provider: email, phone, github, …';
COMMENT ON COLUMN identities.provider_id IS 'the provider''s id of the user; for email and phone the user''s own id';
CREATE INDEX identities_user ON identities (user_id);

CREATE TABLE sessions (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
  aal text NOT NULL DEFAULT 'aal1',
  amr jsonb NOT NULL DEFAULT '[]',
  factor_id uuid,
  counter bigint NOT NULL DEFAULT 0,
  previous_until timestamptz,
  token_key bytea NOT NULL,
  ip inet,
  user_agent text,
  created_at timestamptz NOT NULL DEFAULT now(),
  refreshed_at timestamptz NOT NULL DEFAULT now(),
  not_after timestamptz NOT NULL
);
COMMENT ON COLUMN sessions.amr IS 'how its user has signed in: [{method, timestamp}], the newest first';
COMMENT ON COLUMN sessions.counter IS 'that of the refresh token which is good now';
COMMENT ON COLUMN sessions.previous_until IS 'until then the token before it gets the one that is good now, too';
COMMENT ON COLUMN sessions.token_key IS 'what its refresh tokens are signed with, sealed';
COMMENT ON COLUMN sessions.not_after IS 'when it ends if it is not refreshed before';
CREATE INDEX sessions_user ON sessions (user_id, created_at);
CREATE INDEX sessions_not_after ON sessions (not_after);

CREATE TABLE signing_keys (
  kid text PRIMARY KEY,
  algorithm text NOT NULL CHECK (algorithm IN ('EdDSA', 'ES256')),
  state text NOT NULL CHECK (state IN ('standby', 'current', 'previous', 'revoked')),
  public_jwk jsonb NOT NULL,
  private_key bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  current_at timestamptz,
  retired_at timestamptz
);
COMMENT ON TABLE signing_keys IS 'what access tokens are signed with';
COMMENT ON COLUMN signing_keys.kid IS 'the thumbprint of its public half (RFC 7638)';
COMMENT ON COLUMN signing_keys.private_key IS 'PKCS #8, sealed';
CREATE UNIQUE INDEX signing_keys_current ON signing_keys (state) WHERE state = 'current';

CREATE TABLE flow_states (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id uuid REFERENCES users ON DELETE CASCADE,
  provider text NOT NULL,
  method text NOT NULL,
  code_hash bytea UNIQUE,
  code_challenge text,
  code_challenge_method text CHECK (code_challenge_method IN ('s256', 'plain')),
  redirect_to text NOT NULL,
  sealed bytea,
  linking boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL
);
COMMENT ON TABLE flow_states IS 'sign-ins that go through a link or another site';
COMMENT ON COLUMN flow_states.method IS 'for amr: oauth, otp, …';
COMMENT ON COLUMN flow_states.code_hash IS 'SHA-256 of the code that is exchanged for a session; null until it is given out';
COMMENT ON COLUMN flow_states.sealed IS 'what only we may read, such as nonce, verifier and tokens of the provider';
COMMENT ON COLUMN flow_states.linking IS 'the provider''s identity is added to the user, who has a session already';
CREATE INDEX flow_states_user ON flow_states (user_id);
CREATE INDEX flow_states_expires_at ON flow_states (expires_at);

CREATE TABLE one_time_codes (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
  purpose text NOT NULL CHECK (purpose IN (
    'signup', 'invite', 'magiclink', 'recovery', 'email_change_current', 'email_change_new', 'reauthentication'
  )),
  hash bytea NOT NULL,
  address text NOT NULL,
  flow_id uuid REFERENCES flow_states ON DELETE SET NULL,
  tries smallint NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  UNIQUE (user_id, purpose)
);
COMMENT ON COLUMN one_time_codes.hash IS
  'SHA-256 of the link''s token, which is made of id and digits under a key of ours';
COMMENT ON COLUMN one_time_codes.tries IS 'how often digits were tried; the link goes on working after too many';
COMMENT ON COLUMN one_time_codes.address IS 'where it was sent';
COMMENT ON COLUMN one_time_codes.flow_id IS 'the flow of a client that wants a code by PKCE instead of tokens';
CREATE INDEX one_time_codes_hash ON one_time_codes (hash);
CREATE INDEX one_time_codes_address ON one_time_codes (address);
CREATE INDEX one_time_codes_expires_at ON one_time_codes (expires_at);
CREATE INDEX one_time_codes_flow ON one_time_codes (flow_id);

CREATE TABLE mfa_factors (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
  friendly_name text,
  factor_type text NOT NULL CHECK (factor_type IN ('totp', 'recovery_code')),
  status text NOT NULL DEFAULT 'unverified' CHECK (status IN ('unverified', 'verified')),
  secret bytea,
  last_step bigint,
  wrong_tries int NOT NULL DEFAULT 0,
  locked_until timestamptz,
  last_challenged_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN mfa_factors.secret IS 'sealed; recovery codes have none';
COMMENT ON COLUMN mfa_factors.last_step IS 'of the last code that was taken: none is taken twice (RFC 6238 §5.2)';
COMMENT ON COLUMN mfa_factors.wrong_tries IS 'since the last code that was right';
COMMENT ON COLUMN mfa_factors.locked_until IS 'until then no code is looked at';
CREATE INDEX mfa_factors_user ON mfa_factors (user_id);
CREATE UNIQUE INDEX mfa_factors_recovery_codes ON mfa_factors (user_id) WHERE factor_type = 'recovery_code';
CREATE UNIQUE INDEX mfa_factors_name ON mfa_factors (user_id, friendly_name) WHERE friendly_name <> '';

CREATE TABLE mfa_challenges (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  factor_id uuid NOT NULL REFERENCES mfa_factors ON DELETE CASCADE,
  session_id uuid REFERENCES sessions ON DELETE CASCADE,
  verified_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL
);
CREATE INDEX mfa_challenges_factor ON mfa_challenges (factor_id);
CREATE INDEX mfa_challenges_session ON mfa_challenges (session_id);
CREATE INDEX mfa_challenges_expires_at ON mfa_challenges (expires_at);

CREATE TABLE mfa_recovery_codes (
  factor_id uuid NOT NULL REFERENCES mfa_factors ON DELETE CASCADE,
  hash bytea NOT NULL,
  used_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (factor_id, hash)
);
COMMENT ON COLUMN mfa_recovery_codes.hash IS 'SHA-256';

SET LOCAL search_path = ogel;

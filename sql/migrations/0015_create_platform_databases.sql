-- Databases that operators register: looked at every few minutes, and migrated. What is only learned about one stands
-- in a row of its own, written at every check; what they were told is written seldom.
CREATE TABLE platform_databases (
  id               text PRIMARY KEY,
  name             text NOT NULL UNIQUE,
  type             text NOT NULL CHECK (type IN ('postgresql', 'mongodb', 'redis')),
  host             text NOT NULL,
  port             integer NOT NULL CHECK (port BETWEEN 1 AND 65535),
  database         text NOT NULL,
  username         text,
  sealed_password  bytea,
  password_hint    text,
  ssl_mode         text NOT NULL CHECK (ssl_mode IN ('disable', 'prefer', 'require', 'verify-full')),
  auth_source      text,
  labels           jsonb NOT NULL DEFAULT '{}',
  version          integer NOT NULL DEFAULT 1,
  created_at       timestamptz NOT NULL DEFAULT now(),
  updated_at       timestamptz NOT NULL DEFAULT now()
);

COMMENT ON COLUMN platform_databases.version IS 'changes with where it is and who we are to it; checks of an earlier one do not count';
COMMENT ON COLUMN platform_databases.auth_source IS 'of mongodb: the database that knows the user';

CREATE TABLE platform_database_health (
  database_id      text PRIMARY KEY REFERENCES platform_databases (id) ON DELETE CASCADE,
  state            text NOT NULL CHECK (state IN ('reachable', 'unreachable')),
  since            timestamptz NOT NULL,
  checked_at       timestamptz NOT NULL,
  error            text,
  failures         integer NOT NULL DEFAULT 0,
  latency_seconds  double precision,
  server_version   text,
  size_bytes       bigint,
  stats            json,
  stats_error      text,
  measured_at      timestamptz
) WITH (fillfactor = 50);

COMMENT ON COLUMN platform_database_health.failures IS 'checks in a row that did not reach it';
COMMENT ON COLUMN platform_database_health.size_bytes IS 'out of the statistics; of redis the memory it uses';
COMMENT ON COLUMN platform_database_health.measured_at IS 'when stats were; they outlive an outage';

-- A run of migrations; what it did stands in the log that the database keeps of itself, so a run may be begun again.
CREATE TABLE platform_database_migrations (
  id             text PRIMARY KEY,
  database_id    text NOT NULL REFERENCES platform_databases (id) ON DELETE CASCADE,
  status         text NOT NULL DEFAULT 'running' CHECK (status IN ('running', 'succeeded', 'failed', 'cancelled')),
  is_cancelling  boolean NOT NULL DEFAULT false,
  total          integer NOT NULL,
  done           integer NOT NULL DEFAULT 0,
  before         integer,
  current_file   text,
  waiting        text,
  error          jsonb,
  created_at     timestamptz NOT NULL DEFAULT now(),
  finished_at    timestamptz
) WITH (fillfactor = 50);

COMMENT ON COLUMN platform_database_migrations.done IS 'files that are applied, by this run or before it';
COMMENT ON COLUMN platform_database_migrations.before IS 'files that were applied when it began';
COMMENT ON COLUMN platform_database_migrations.waiting IS 'why it does not go on for now';

CREATE UNIQUE INDEX platform_database_migrations_unfinished ON platform_database_migrations (database_id)
  WHERE status = 'running';
CREATE INDEX platform_database_migrations_database ON platform_database_migrations (database_id, id);
CREATE INDEX platform_database_migrations_finished ON platform_database_migrations (finished_at)
  WHERE finished_at IS NOT NULL;

CREATE TABLE platform_database_migration_files (
  run_id    text NOT NULL REFERENCES platform_database_migrations (id) ON DELETE CASCADE,
  place     integer NOT NULL,
  name      text NOT NULL,
  checksum  text NOT NULL,
  sql       text,
  PRIMARY KEY (run_id, place)
);

COMMENT ON COLUMN platform_database_migration_files.sql IS 'forgotten when nothing can begin the run again';

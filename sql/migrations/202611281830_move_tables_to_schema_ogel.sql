-- `public` is for what users of the database make. Our own tables stand in `ogel`; `auth` and `storage` are reserved for
-- accounts and for stored objects, unless somebody has schemas of these names already: those stay theirs. Nothing is
-- rewritten, only the catalog changes, all in one transaction. In a new database the tables were made in `ogel`, and
-- nothing moves.
--
-- Processes of the version before find no table from here on, and what they ask fails until they are replaced. Nothing is
-- lost by that: what they had not committed was not accepted, and jobs that they hold are claimed anew when their leases end.

-- Whoever comes while this waits for a lock waits behind it: it gives way soon, and is tried again.
SET LOCAL lock_timeout = '2s';

DO $$
DECLARE
  former CONSTANT name := (
    SELECT n.nspname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.oid = 'schema_migrations'::regclass
  );
  tables CONSTANT name[] := '{
    alerts, api_keys, audit_chain, audit_logs, backups, devices, event_ids, events, health_checks, job_keys, job_queue,
    job_results, mail_attempts, mail_messages, mail_requests, mail_suppressions, message_attempts, message_requests,
    messages, paused_queues, platform_database_health, platform_database_migration_files, platform_database_migrations,
    platform_databases, processes, purge_runs, realtime_listening, resource_samples, schedule_changes, schedules,
    schema_migrations, usage, usage_deltas, webhook_attempts, webhook_deliveries, webhook_endpoints, webhook_health,
    webhook_replays, webhook_secrets
  }';
  functions CONSTANT text[] := '{
    listening_keys(text[]), next_version(), realtime_is_heard(), "webhook_listeners(text[], text[])"
  }';
  item text;
BEGIN
  IF former = 'ogel' THEN
    RETURN;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'ogel') THEN
    CREATE SCHEMA ogel;
  END IF;
  -- All before the first is moved: who uses several of them is waited for, or refused, with none of them gone.
  EXECUTE (
    SELECT 'LOCK TABLE ' || string_agg(format('%I.%I', former, t), ', ') || ' IN ACCESS EXCLUSIVE MODE'
    FROM unnest(tables) AS t
  );
  FOREACH item IN ARRAY tables LOOP
    EXECUTE format('ALTER TABLE %I.%I SET SCHEMA ogel', former, item);
  END LOOP;
  FOREACH item IN ARRAY functions LOOP
    EXECUTE format('ALTER FUNCTION %I.%s SET SCHEMA ogel', former, item);
  END LOOP;
  -- Other roles keep what they were granted of the tables, and could not get at them without this.
  FOR item IN
    SELECT DISTINCT CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END
    FROM pg_class AS c CROSS JOIN LATERAL aclexplode(c.relacl) AS a
    WHERE c.relnamespace = 'ogel'::regnamespace AND c.relname = ANY (tables) AND a.grantee <> c.relowner
  LOOP
    EXECUTE format('GRANT USAGE ON SCHEMA ogel TO %s', item);
  END LOOP;
END
$$;

-- Migrations are numbered by the minute they were written in.
ALTER TABLE ogel.schema_migrations ALTER COLUMN version TYPE bigint;

DO $$
DECLARE
  item text;
BEGIN
  FOREACH item IN ARRAY '{auth, storage}'::text[] LOOP
    IF NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = item)
      AND has_database_privilege(current_database(), 'CREATE')
    THEN
      EXECUTE format('CREATE SCHEMA %I', item);
      -- By this word we know our own.
      EXECUTE format('COMMENT ON SCHEMA %I IS %L', item, 'Ogel: ' || item);
    END IF;
  END LOOP;
END
$$;

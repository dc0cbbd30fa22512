-- Row-level security as Supabase has it: the roles that statements run as on behalf of somebody, and the functions by which
-- policies ask who that is. What we may not make, or somebody else has already, is left alone: `ogel doctor` says what is
-- missing. The version before uses none of it.
-- needs: 202611282200_accounts

-- Roles belong to the server: other databases there may have made them, or make them at this moment.
DO $$
DECLARE
  item text;
BEGIN
  FOREACH item IN ARRAY '{anon, authenticated, service_role}'::text[] LOOP
    CONTINUE WHEN to_regrole(item) IS NOT NULL
      OR NOT (SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user);
    BEGIN
      EXECUTE format('CREATE ROLE %I NOLOGIN NOINHERIT', item);
      IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        EXECUTE format('GRANT %I TO CURRENT_USER', item);
      END IF;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN
      CONTINUE;
    END;
    IF item = 'service_role' THEN
      BEGIN
        ALTER ROLE service_role BYPASSRLS;
      EXCEPTION WHEN insufficient_privilege THEN
        NULL;
      END;
    END IF;
  END LOOP;
END
$$;

DO $$
DECLARE
  item text;
BEGIN
  IF obj_description(to_regnamespace('auth'), 'pg_namespace') IS DISTINCT FROM 'Ogel: auth' THEN
    RETURN;
  END IF;

  -- Bodies of this form are read now, by our search_path, and not again by that of whoever calls them.
  CREATE FUNCTION auth.jwt() RETURNS jsonb LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('request.jwt.claims', true), '')::jsonb;
  CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
    RETURN (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid;
  CREATE FUNCTION auth.role() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role';
  CREATE FUNCTION auth.email() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'email';
  COMMENT ON FUNCTION auth.jwt() IS 'the claims of who reads or writes';
  COMMENT ON FUNCTION auth.uid() IS 'the id of the user who reads or writes; null: none has signed in';
  COMMENT ON FUNCTION auth.role() IS 'anon, authenticated or service_role';
  COMMENT ON FUNCTION auth.email() IS 'the address of the user who reads or writes';

  FOREACH item IN ARRAY '{anon, authenticated, service_role}'::text[] LOOP
    IF to_regrole(item) IS NOT NULL THEN
      EXECUTE format('GRANT USAGE ON SCHEMA auth TO %I', item);
    END IF;
  END LOOP;
END
$$;

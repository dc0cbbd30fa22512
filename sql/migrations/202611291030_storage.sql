-- Buckets and objects, in the schema `storage` and in the shapes that SQL written for Supabase knows; where that schema is
-- somebody else's, in `ogel_storage`, and for a role that may not make schemas in `ogel`. What is kept of the bytes
-- themselves is ours alone: each blob in the store has a row in `storage_blobs`, written before the blob is and deleted
-- after it, so that no crash leaves a file that nobody knows. The version before uses none of it.
-- needs: 202611282212_let_policies_ask_who_reads
DO $$
DECLARE
  home CONSTANT name := CASE
    WHEN obj_description(to_regnamespace('storage'), 'pg_namespace') = 'Ogel: storage' THEN 'storage'
    WHEN has_database_privilege(current_database(), 'CREATE') THEN 'ogel_storage'
    ELSE 'ogel'
  END;
BEGIN
  IF to_regnamespace(home) IS NULL THEN
    CREATE SCHEMA ogel_storage;
    COMMENT ON SCHEMA ogel_storage IS 'Ogel: ogel_storage';
  END IF;
  PERFORM set_config('search_path', home || ', ogel', true);
END
$$;

CREATE TABLE buckets (
  id text PRIMARY KEY,
  name text NOT NULL UNIQUE,
  owner uuid,
  owner_id text,
  public boolean NOT NULL DEFAULT false,
  avif_autodetection boolean NOT NULL DEFAULT false,
  file_size_limit bigint CHECK (file_size_limit >= 0),
  allowed_mime_types text[],
  type text NOT NULL DEFAULT 'STANDARD',
  permissions jsonb,
  lifecycle jsonb NOT NULL DEFAULT '[]',
  scanned boolean NOT NULL DEFAULT false,
  encrypted boolean NOT NULL DEFAULT false,
  redirects boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN buckets.name IS 'the same as its id, as in Supabase';
COMMENT ON COLUMN buckets.file_size_limit IS 'bytes of an object at most; null: what the suite takes';
COMMENT ON COLUMN buckets.allowed_mime_types IS 'types or type/*; null or empty: all';
COMMENT ON COLUMN buckets.permissions IS 'what roles may do without a policy: {read|create|update|delete: [role, …]}; `owner` is who made the object';
COMMENT ON COLUMN buckets.lifecycle IS 'rules: [{prefix, age_days, action}]';
COMMENT ON COLUMN buckets.scanned IS 'objects can be read once a scanner has found them clean';
COMMENT ON COLUMN buckets.encrypted IS 'new objects are encrypted before they are stored';
COMMENT ON COLUMN buckets.redirects IS 'downloads are sent to the store by a signed URL';
CREATE INDEX buckets_with_permissions ON buckets (id) WHERE permissions IS NOT NULL;

-- A name such that sorting by it is listing folders: those that differ in ASCII case stand beside each other, each whole.
CREATE FUNCTION ogel.storage_folded(name text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
  RETURN (
    SELECT string_agg(lower(segment COLLATE "C") || chr(1) || segment, '/' ORDER BY position)
    FROM unnest(string_to_array(name, '/')) WITH ORDINALITY AS segments (segment, position)
  );

CREATE TABLE objects (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  bucket_id text NOT NULL REFERENCES buckets,
  name text COLLATE "C" NOT NULL,
  owner uuid,
  owner_id text,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  last_accessed_at timestamptz NOT NULL DEFAULT now(),
  metadata jsonb NOT NULL DEFAULT '{}',
  path_tokens text[] GENERATED ALWAYS AS (string_to_array(name, '/')) STORED,
  folded text COLLATE "C" GENERATED ALWAYS AS (ogel.storage_folded(name)) STORED,
  version text NOT NULL,
  user_metadata jsonb,
  sha256 bytea,
  expires_at timestamptz,
  scan_state text NOT NULL DEFAULT 'none' CHECK (scan_state IN ('none', 'pending', 'clean', 'infected', 'failed')),
  UNIQUE (bucket_id, name)
);
COMMENT ON COLUMN objects.metadata IS 'eTag, size, mimetype, cacheControl, lastModified, contentLength, httpStatusCode';
COMMENT ON COLUMN objects.folded IS 'the name, for lists of folders';
COMMENT ON COLUMN objects.version IS 'changes with the content: the version of its blobs';
COMMENT ON COLUMN objects.user_metadata IS 'what clients wrote of it';
COMMENT ON COLUMN objects.sha256 IS 'of the whole content; null: it came in parts';
COMMENT ON COLUMN objects.expires_at IS 'when it is deleted; null: never';
CREATE INDEX objects_expire ON objects (expires_at) WHERE expires_at IS NOT NULL;
-- Who may write rows by SQL gets at no other object's blobs by naming its version.
CREATE UNIQUE INDEX objects_version ON objects (version);
CREATE INDEX objects_unscanned ON objects (updated_at) WHERE scan_state IN ('pending', 'failed');
CREATE INDEX objects_created ON objects (bucket_id, created_at, name);
CREATE INDEX objects_folded ON objects (bucket_id, folded);

CREATE TABLE ogel.storage_blobs (
  key text COLLATE "C" PRIMARY KEY,
  state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'live', 'deleting')),
  until timestamptz NOT NULL,
  version text,
  position integer NOT NULL DEFAULT 0,
  bucket_id text,
  owner_id text,
  size bigint NOT NULL DEFAULT 0 CHECK (size >= 0),
  md5 bytea,
  sealed_key bytea,
  rendition_of text,
  rendition text,
  created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE ogel.storage_blobs IS 'what is in the store, or may be: an object''s bytes are the blobs of its version, in the order of their positions';
COMMENT ON COLUMN ogel.storage_blobs.state IS 'pending: being written; live: an object''s; deleting: nobody''s any more';
COMMENT ON COLUMN ogel.storage_blobs.until IS 'when it is given up (pending) or deleted (deleting)';
COMMENT ON COLUMN ogel.storage_blobs.version IS 'of the object or the upload that it belongs to; null: not known yet';
COMMENT ON COLUMN ogel.storage_blobs.position IS 'among those of its version; the part''s number where clients number them';
COMMENT ON COLUMN ogel.storage_blobs.size IS 'of what users stored, in bytes; while pending, what is reserved for it';
COMMENT ON COLUMN ogel.storage_blobs.sealed_key IS 'what it is encrypted with, sealed; null: it is not encrypted';
COMMENT ON COLUMN ogel.storage_blobs.rendition_of IS 'the version of the picture that this one was made of';
COMMENT ON COLUMN ogel.storage_blobs.rendition IS 'how it was made: width=…';
CREATE INDEX storage_blobs_version ON ogel.storage_blobs (version, position) WHERE version IS NOT NULL;
CREATE INDEX storage_blobs_due ON ogel.storage_blobs (until) WHERE state <> 'live';
CREATE INDEX storage_blobs_usage ON ogel.storage_blobs (bucket_id) INCLUDE (size) WHERE state = 'live';
CREATE INDEX storage_blobs_owner ON ogel.storage_blobs (owner_id) WHERE owner_id IS NOT NULL;
CREATE UNIQUE INDEX storage_blobs_rendition ON ogel.storage_blobs (rendition_of, rendition) WHERE state = 'live' AND rendition_of IS NOT NULL;

CREATE TABLE ogel.storage_uploads (
  id uuid PRIMARY KEY,
  protocol text NOT NULL CHECK (protocol IN ('tus', 's3', 'direct')),
  bucket_id text REFERENCES buckets ON DELETE CASCADE,
  name text COLLATE "C",
  owner_id text,
  role text,
  version text NOT NULL UNIQUE,
  length bigint,
  received bigint NOT NULL DEFAULT 0,
  upsert boolean NOT NULL DEFAULT false,
  facts jsonb NOT NULL DEFAULT '{}',
  concat text CHECK (concat IN ('partial', 'final')),
  lock_token uuid,
  lock_until timestamptz,
  release_asked boolean NOT NULL DEFAULT false,
  finished_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  CHECK (concat = 'partial' OR (bucket_id IS NOT NULL AND name IS NOT NULL))
);
COMMENT ON TABLE ogel.storage_uploads IS 'uploads in several requests';
COMMENT ON COLUMN ogel.storage_uploads.bucket_id IS 'null: a part that need not say what it will be a part of';
COMMENT ON COLUMN ogel.storage_uploads.role IS 'as whom who began it writes';
COMMENT ON COLUMN ogel.storage_uploads.version IS 'of the blobs that have come, and of the object when it is whole';
COMMENT ON COLUMN ogel.storage_uploads.length IS 'bytes in all; null: not known yet';
COMMENT ON COLUMN ogel.storage_uploads.facts IS 'what is to be written of the object, as the protocol has it';
COMMENT ON COLUMN ogel.storage_uploads.lock_token IS 'of the request that writes to it now';
COMMENT ON COLUMN ogel.storage_uploads.release_asked IS 'another request waits for the lock';
CREATE INDEX storage_uploads_expire ON ogel.storage_uploads (expires_at);
CREATE INDEX storage_uploads_object ON ogel.storage_uploads (bucket_id, name, id);
CREATE INDEX storage_uploads_owner ON ogel.storage_uploads (owner_id) WHERE finished_at IS NULL AND owner_id IS NOT NULL;

CREATE TABLE ogel.storage_quotas (
  subject text PRIMARY KEY,
  max_bytes bigint NOT NULL,
  used_bytes bigint NOT NULL DEFAULT 0,
  reserved_bytes bigint NOT NULL DEFAULT 0
);
COMMENT ON TABLE ogel.storage_quotas IS 'how much a bucket (`bucket:ID`) or a user (`user:ID`) may store; no row: as much as there is';
COMMENT ON COLUMN ogel.storage_quotas.reserved_bytes IS 'of uploads under way';

CREATE TABLE ogel.s3_keys (
  id text PRIMARY KEY,
  name text NOT NULL,
  secret bytea NOT NULL,
  buckets text[],
  read_only boolean NOT NULL DEFAULT false,
  made_by text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  last_used_at timestamptz,
  revoked_at timestamptz
);
COMMENT ON COLUMN ogel.s3_keys.id IS 'the access key id';
COMMENT ON COLUMN ogel.s3_keys.secret IS 'the secret access key, sealed: signatures cannot be checked against a hash of it';
COMMENT ON COLUMN ogel.s3_keys.buckets IS 'those it may use; null: all';

-- Takes back a statement that found fewer rows than it is about, as others have changed them meanwhile.
CREATE FUNCTION ogel.storage_expect(counted bigint, wanted bigint) RETURNS timestamptz LANGUAGE plpgsql AS $$
BEGIN
  IF counted <> wanted THEN
    RAISE EXCEPTION 'of % objects % are as they were', wanted, counted USING ERRCODE = 'OG002';
  END IF;
  RETURN now();
END
$$;

-- What happens to the bytes follows from what happens to the rows, whoever deletes or changes them, and is committed with it.
CREATE FUNCTION ogel.storage_let_versions_go(gone text[]) RETURNS void LANGUAGE sql SECURITY DEFINER
SET search_path = ogel, pg_temp AS $$
  UPDATE storage_blobs SET state = 'deleting', until = now() + interval '10 minutes'
  WHERE state <> 'deleting' AND (version = ANY (gone) OR rendition_of = ANY (gone))
$$;
REVOKE EXECUTE ON FUNCTION ogel.storage_let_versions_go FROM PUBLIC;
CREATE INDEX storage_blobs_renditions ON ogel.storage_blobs (rendition_of) WHERE rendition_of IS NOT NULL;

CREATE FUNCTION ogel.storage_objects_deleted() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = ogel, pg_temp AS $$
BEGIN
  PERFORM storage_let_versions_go((SELECT array_agg(version) FROM gone));
  RETURN NULL;
END
$$;
CREATE FUNCTION ogel.storage_object_changed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = ogel, pg_temp AS $$
BEGIN
  IF NEW.version <> OLD.version THEN
    PERFORM storage_let_versions_go(ARRAY[OLD.version]);
  ELSE
    UPDATE storage_blobs SET bucket_id = NEW.bucket_id WHERE version = OLD.version AND state = 'live';
  END IF;
  RETURN NULL;
END
$$;
CREATE FUNCTION ogel.storage_objects_truncated() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = ogel, pg_temp AS $$
BEGIN
  UPDATE storage_blobs SET state = 'deleting', until = now() + interval '10 minutes' WHERE state = 'live';
  RETURN NULL;
END
$$;
-- What came of an upload goes with it, unless it became an object's.
CREATE FUNCTION ogel.storage_uploads_deleted() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = ogel, pg_temp AS $$
BEGIN
  UPDATE storage_blobs SET state = 'deleting', until = now()
  WHERE state = 'pending' AND version = ANY (ARRAY(SELECT version FROM gone));
  RETURN NULL;
END
$$;
CREATE TRIGGER storage_uploads_deleted AFTER DELETE ON ogel.storage_uploads REFERENCING OLD TABLE AS gone
  FOR EACH STATEMENT EXECUTE FUNCTION ogel.storage_uploads_deleted();
CREATE TRIGGER objects_deleted AFTER DELETE ON objects REFERENCING OLD TABLE AS gone
  FOR EACH STATEMENT EXECUTE FUNCTION ogel.storage_objects_deleted();
CREATE TRIGGER objects_changed AFTER UPDATE ON objects FOR EACH ROW
  WHEN (NEW.version <> OLD.version OR NEW.bucket_id <> OLD.bucket_id)
  EXECUTE FUNCTION ogel.storage_object_changed();
CREATE TRIGGER objects_truncated AFTER TRUNCATE ON objects
  FOR EACH STATEMENT EXECUTE FUNCTION ogel.storage_objects_truncated();

-- Quotas are counted where the blobs are, so that they are exact whatever dies: what is pending is reserved, what is live is
-- used. What would exceed one is refused, by a code of ours.
CREATE FUNCTION ogel.storage_blob_counted() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = ogel, pg_temp AS $$
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
CREATE TRIGGER storage_blobs_counted AFTER INSERT OR DELETE OR UPDATE OF state, size, bucket_id, owner_id
  ON ogel.storage_blobs FOR EACH ROW EXECUTE FUNCTION ogel.storage_blob_counted();

-- What policies ask. Those of Supabase have their names.
CREATE FUNCTION foldername(name text) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE
  RETURN trim_array(string_to_array(name, '/'), 1);
CREATE FUNCTION filename(name text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
  RETURN (string_to_array(name, '/'))[cardinality(string_to_array(name, '/'))];
CREATE FUNCTION extension(name text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
  RETURN split_part(name, '.', -1);
-- The buckets whose permissions let the one who asks do something, or let who made an object do it.
CREATE FUNCTION permitted(action text) RETURNS SETOF text LANGUAGE sql STABLE SECURITY DEFINER
BEGIN ATOMIC
  SELECT id FROM buckets
  WHERE permissions IS NOT NULL
    AND permissions -> action ?| string_to_array(coalesce(current_setting('ogel.roles', true), ''), ' ');
END;
CREATE FUNCTION permitted_to_owners(action text) RETURNS SETOF text LANGUAGE sql STABLE SECURITY DEFINER
BEGIN ATOMIC
  SELECT id FROM buckets WHERE permissions IS NOT NULL AND permissions -> action ? 'owner';
END;
CREATE FUNCTION asking() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
  RETURN nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub';
COMMENT ON FUNCTION asking() IS 'the id of the user who reads or writes; null: none has signed in';

ALTER TABLE buckets ENABLE ROW LEVEL SECURITY;
ALTER TABLE objects ENABLE ROW LEVEL SECURITY;
-- Permissions of buckets are policies like those that users write: whichever allows it, it is allowed.
CREATE POLICY ogel_permissions_read ON buckets FOR SELECT USING (id = ANY (ARRAY(SELECT permitted('read'))));
CREATE POLICY ogel_permissions_read ON objects FOR SELECT USING (
  bucket_id = ANY (ARRAY(SELECT permitted('read')))
  OR (owner_id = (SELECT asking()) AND bucket_id = ANY (ARRAY(SELECT permitted_to_owners('read'))))
);
CREATE POLICY ogel_permissions_create ON objects FOR INSERT WITH CHECK (
  bucket_id = ANY (ARRAY(SELECT permitted('create')))
);
CREATE POLICY ogel_permissions_update ON objects FOR UPDATE USING (
  bucket_id = ANY (ARRAY(SELECT permitted('update')))
  OR (owner_id = (SELECT asking()) AND bucket_id = ANY (ARRAY(SELECT permitted_to_owners('update'))))
);
CREATE POLICY ogel_permissions_delete ON objects FOR DELETE USING (
  bucket_id = ANY (ARRAY(SELECT permitted('delete')))
  OR (owner_id = (SELECT asking()) AND bucket_id = ANY (ARRAY(SELECT permitted_to_owners('delete'))))
);

DO $$
DECLARE
  item text;
  home CONSTANT name := current_schema();
BEGIN
  FOREACH item IN ARRAY '{anon, authenticated, service_role}'::text[] LOOP
    IF to_regrole(item) IS NOT NULL THEN
      EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', home, item);
      EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON buckets, objects TO %I', item);
    END IF;
  END LOOP;
END
$$;

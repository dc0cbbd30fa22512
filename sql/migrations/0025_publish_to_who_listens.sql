-- Publishing compared the type of an event with the globs of all endpoints. What a glob begins or ends with, whichever is
-- longer, is a key now, by which an index finds the few that may match: see features/webhooks/fanout/listening.py. It is
-- an index of an expression, so that rows of the version before are in it as well. An endpoint is changed seldom, and
-- publishing reads the index all the time: it has no list of what is still to be put into it.
CREATE FUNCTION listening_keys(globs text[]) RETURNS text[]
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
SELECT coalesce(array_agg(DISTINCT CASE
  WHEN strpos(glob, '*') = 0 THEN '=' || glob
  WHEN length(substring(glob FROM '\.[^*]*$')) > length(substring(glob FROM '^[^*]*'))
    THEN '$' || substring(glob FROM '\.[^*]*$')
  ELSE '^' || substring(glob FROM '^[^*]*')
END), '{}')
FROM unnest(globs) AS glob
$$;

CREATE INDEX webhook_endpoints_listening ON webhook_endpoints USING gin (listening_keys(event_globs))
WITH (fastupdate = off) WHERE state <> 'disabled';

-- Which endpoints hear which of these types; the patterns decide among those that the keys find. A function, because it
-- says how it is planned: a connection that began when there were three endpoints, which are read sooner than an index,
-- would go on to read them all, one by one, when there are a hundred thousand.
CREATE FUNCTION webhook_listeners(types text[], keys text[])
    RETURNS TABLE (type text, webhook_id text, filter text, ordered_by text)
    LANGUAGE plpgsql STABLE SET enable_seqscan = off SET plan_cache_mode = force_generic_plan
    AS $$
BEGIN
  RETURN QUERY
  SELECT t.type, w.id, w.filter::text, w.ordered_by
  FROM webhook_endpoints AS w JOIN unnest(types) AS t (type) ON t.type LIKE ANY (w.event_likes)
  WHERE w.state <> 'disabled' AND listening_keys(w.event_globs) && keys;
END
$$;

-- Every event had a job that told it to realtime, whether anybody listened or not. Processes with streams say here that
-- somebody may; where none does, there is no job.
CREATE TABLE realtime_listening (
  process text PRIMARY KEY,
  until timestamptz NOT NULL
);
COMMENT ON COLUMN realtime_listening.until IS 'somebody listens to it, or did a while ago; past it, nobody does, or it died';

-- Asked by whoever publishes, in the statement that writes the events. The lock is how a process that has just written its
-- row knows who may not have seen it: those who hold it. A volatile function sees what was committed before each of its
-- statements, and not only before the one that calls it.
CREATE FUNCTION realtime_is_heard() RETURNS boolean
    LANGUAGE plpgsql VOLATILE
    AS $$
BEGIN
  PERFORM pg_advisory_xact_lock_shared(hashtext('ogel realtime heard')::bigint & 4294967295);
  RETURN EXISTS (SELECT FROM realtime_listening WHERE until > now());
END
$$;

-- Processes of the version before say nothing; they have an hour to be replaced.
INSERT INTO realtime_listening (process, until)
SELECT 'the version before', now() + interval '1 hour' WHERE EXISTS (SELECT FROM events);

-- Channels: publications in the order of their commits, kept for who was away. The version before knows nothing of them.
-- needs: 202611281830_move_tables_to_schema_ogel
CREATE TABLE realtime_namespaces (
  name text PRIMARY KEY,
  history_size integer NOT NULL CHECK (history_size >= 0),
  history_seconds integer NOT NULL CHECK (history_seconds >= 0),
  subscribe_roles text[] NOT NULL DEFAULT '{}',
  publish_roles text[] NOT NULL DEFAULT '{}',
  has_presence boolean NOT NULL DEFAULT true,
  changed_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE realtime_namespaces IS 'the rules of channels NAME:…; the row without a name is for all others';
COMMENT ON COLUMN realtime_namespaces.subscribe_roles IS 'of people; keys may by their scopes';

CREATE TABLE realtime_channels (
  name text PRIMARY KEY,
  epoch text NOT NULL,
  top bigint NOT NULL,
  published_at timestamptz NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
COMMENT ON COLUMN realtime_channels.epoch IS 'another one: positions before mean nothing any more';
COMMENT ON COLUMN realtime_channels.top IS 'the number of the latest publication; who publishes holds the row until the commit';

CREATE TABLE realtime_publications (
  channel text NOT NULL,
  number bigint NOT NULL,
  data text,
  event_id text,
  tags jsonb,
  roles text[],
  idempotency_key text,
  published_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  PRIMARY KEY (channel, number),
  CHECK ((data IS NULL) <> (event_id IS NULL))
) WITH (autovacuum_vacuum_scale_factor = 0.05);
COMMENT ON COLUMN realtime_publications.event_id IS 'its data are those of the event';
CREATE INDEX realtime_publications_expires_at ON realtime_publications (expires_at);
CREATE UNIQUE INDEX realtime_publications_idempotency_key ON realtime_publications (channel, idempotency_key)
  WHERE idempotency_key IS NOT NULL;

-- Moves on with each publication, a little before its commit: processes that hear nothing look whether it has.
CREATE SEQUENCE realtime_clock;

-- What a channel keeps, by the first rules there are for it. `$ogel:events` is the stream of all events, as their ids.
CREATE FUNCTION realtime_kept(channel text, OUT history_size integer, OUT history_seconds integer) LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT size, seconds
  FROM (
    SELECT 1 AS turn, n.history_size AS size, n.history_seconds AS seconds FROM realtime_namespaces AS n
    WHERE position(':' IN channel) > 0 AND n.name = split_part(channel, ':', 1)
    UNION ALL SELECT 2, 50000, 3600 WHERE starts_with(channel, '$ogel:')
    UNION ALL SELECT 3, n.history_size, n.history_seconds FROM realtime_namespaces AS n WHERE n.name = ''
    UNION ALL SELECT 4, 1000, 3600
  ) AS rules
  ORDER BY turn LIMIT 1;
END;

-- Publishes in the caller's transaction. The row of each channel is held to its end, so that numbers are in the order of
-- commits and none is missing. What has an idempotency key that the channel knows is answered with its number of then.
-- Each item: {"channel", "data" or "event_id", "tags", "roles", "idempotency_key"}.
CREATE FUNCTION realtime_publish(items jsonb)
  RETURNS TABLE (place integer, channel_epoch text, publication_number bigint, is_new boolean)
  LANGUAGE plpgsql AS $$
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
$$;

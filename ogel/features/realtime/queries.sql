-- events_of --
-- Events by id, if they happened within the last seconds, where a number of them is given. `data` stays the text that was
-- published.
SELECT id, type, data::text AS data, subject, created_at FROM {events} AS e
WHERE id = ANY (%(ids)s)
  AND (%(seconds)s::float8 IS NULL OR created_at > now() - make_interval(secs => %(seconds)s::float8))

-- unplaced --
-- The events of unfinished jobs up to the last of those named, whoever has the others, in the order they were written.
SELECT event.id
FROM (
  SELECT seq, payload FROM {jobs} AS jobs
  WHERE kind = %(kind)s AND status <> 'dead'
    AND seq <= (SELECT max(seq) FROM {jobs} AS mine WHERE id = ANY (%(jobs)s))
  ORDER BY seq LIMIT %(limit)s
) AS waiting, jsonb_array_elements_text(payload -> 'event_ids') WITH ORDINALITY AS event (id, place)
ORDER BY seq, place

-- announcements --
-- Ids and payloads of jobs, each for a number of the `published` events, in their order. None while no client listens.
SELECT (%(announcements)s::text[])[part] AS id, jsonb_build_object('event_ids', jsonb_agg(id ORDER BY place)) AS payload
FROM (
  SELECT id, place, ((row_number() OVER (ORDER BY place) - 1) / %(events_per_job)s + 1)::int AS part
  FROM published JOIN unnest(%(announced)s::text[]) WITH ORDINALITY AS wanted (id, place) USING (id)
) AS parts
WHERE (SELECT realtime_is_heard())
GROUP BY part

-- say_listening --
INSERT INTO realtime_listening (process, until) VALUES (%(process)s, now() + make_interval(secs => %(seconds)s))
ON CONFLICT (process) DO UPDATE SET until = excluded.until

-- say_gone --
-- Also deletes expired rows of processes that died.
DELETE FROM realtime_listening WHERE process = %(process)s OR until < now()

-- publishing --
-- Open transactions that have checked whether a client listens.
SELECT virtualtransaction FROM pg_locks
WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND classid = 0 AND objid = (hashtext('ogel realtime heard')::bigint & 4294967295)::oid AND objsubid = 1

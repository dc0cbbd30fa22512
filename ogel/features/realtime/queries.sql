-- recent_events --
-- Those of the ids that happened within the last seconds; json goes out as the text that came in.
SELECT id, type, data::text AS data, subject, created_at FROM {events} AS e
WHERE id = ANY (%(ids)s) AND created_at > now() - make_interval(secs => %(seconds)s)

-- announcements --
-- Ids and payloads of jobs, each for so many of the events that are `published`, in the order they came in; none where
-- nobody listens.
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
-- And what others left behind when they died.
DELETE FROM realtime_listening WHERE process = %(process)s OR until < now()

-- publishing --
-- Transactions that asked whether somebody listens, and have not ended.
SELECT virtualtransaction FROM pg_locks
WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND classid = 0 AND objid = (hashtext('ogel realtime heard')::bigint & 4294967295)::oid AND objsubid = 1

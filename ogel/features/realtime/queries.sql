-- recent_events --
-- Those of the ids that happened within the last seconds; json goes out as the text that came in.
SELECT id, type, data::text AS data, subject, created_at FROM events
WHERE id = ANY (%(ids)s) AND created_at > now() - make_interval(secs => %(seconds)s)

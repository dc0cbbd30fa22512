-- insert_listener --
INSERT INTO webhook_presence (webhook_id) VALUES (%(webhook)s)

-- count_listeners --
SELECT count(*) FROM (SELECT FROM webhook_presence LIMIT %(most)s) AS among

-- see --
-- Records that the listener polls.
UPDATE webhook_presence SET seen_at = now() WHERE webhook_id = %(webhook)s RETURNING seen_at

-- away_for --
-- Seconds since it last polled; no row when its endpoint is deleted.
SELECT extract(epoch FROM now() - seen_at)::float8 FROM webhook_presence WHERE webhook_id = %(webhook)s

-- offer --
-- Inserts nothing while the listener is away.
INSERT INTO webhook_handovers (id, webhook_id, request, answer_seconds)
SELECT %(id)s, webhook_id, %(request)s, %(answer_seconds)s FROM webhook_presence
WHERE webhook_id = %(webhook)s AND seen_at > now() - make_interval(secs => %(away)s)
RETURNING id

-- listeners_with_some --
-- Those of these listeners that have an offer which may still be taken.
SELECT DISTINCT webhook_id FROM webhook_handovers
WHERE webhook_id = ANY (%(webhooks)s) AND taken_at IS NULL AND created_at > now() - make_interval(secs => %(take)s)

-- take --
-- Oldest first, as many as fit. Nothing for a poll that is not the listener's last: its client may have gone without our
-- being told.
UPDATE webhook_handovers SET taken_at = now()
WHERE id IN (
  SELECT id FROM (
    SELECT id, row_number() OVER (ORDER BY id) AS place, sum(length(request)) OVER (ORDER BY id) AS characters
    FROM (
      SELECT id, request FROM webhook_handovers
      WHERE webhook_id = %(webhook)s AND taken_at IS NULL AND created_at > now() - make_interval(secs => %(take)s)
        AND EXISTS (SELECT FROM webhook_presence WHERE webhook_id = %(webhook)s AND seen_at = %(seen_at)s)
      ORDER BY id LIMIT %(limit)s
      FOR UPDATE SKIP LOCKED
    ) AS open
  ) AS fitting
  WHERE place = 1 OR characters <= %(characters)s
)
RETURNING id, request

-- answer --
UPDATE webhook_handovers SET answer = %(answer)s
WHERE id = %(id)s AND webhook_id = %(webhook)s AND taken_at IS NOT NULL AND answer IS NULL
RETURNING id

-- over --
-- Offers that need not be waited for: answered, expired before they were taken or answered, or deleted with their
-- endpoint.
SELECT id FROM unnest(%(ids)s::text[]) AS mine (id)
WHERE NOT EXISTS (
  SELECT FROM webhook_handovers AS h
  WHERE h.id = mine.id AND h.answer IS NULL
    AND CASE WHEN h.taken_at IS NULL THEN h.created_at > now() - make_interval(secs => %(take)s)
             ELSE h.taken_at > now() - make_interval(secs => h.answer_seconds) END
)

-- withdraw --
DELETE FROM webhook_handovers WHERE id = %(id)s RETURNING taken_at IS NOT NULL, answer

-- sweep --
-- Rows left by workers that disappeared.
DELETE FROM webhook_handovers WHERE created_at < now() - interval '5 minutes'

-- publish --
-- The answers in the order of what was published.
SELECT channel_epoch, publication_number, is_new FROM realtime_publish(%(items)s::jsonb) ORDER BY place

-- tops --
SELECT name, epoch, top FROM realtime_channels WHERE name = ANY (%(names)s)

-- clock --
SELECT last_value FROM realtime_clock

-- history --
-- Publications after a number, oldest first: as many as its namespace keeps, and no older ones.
SELECT p.channel, c.epoch, p.number, p.published_at, p.data, p.tags, p.roles, p.event_id
FROM realtime_channels AS c
JOIN realtime_publications AS p ON p.channel = c.name
WHERE c.name = %(channel)s AND p.number > greatest(%(after)s, c.top - (realtime_kept(c.name)).history_size)
  AND p.expires_at > now()
ORDER BY p.number
LIMIT %(limit)s

-- latest --
-- The same, newest first, before a number.
SELECT p.channel, c.epoch, p.number, p.published_at, p.data, p.tags, p.roles, p.event_id
FROM realtime_channels AS c
JOIN realtime_publications AS p ON p.channel = c.name
WHERE c.name = %(channel)s AND p.number > c.top - (realtime_kept(c.name)).history_size AND p.number < %(before)s
  AND p.expires_at > now()
ORDER BY p.number DESC
LIMIT %(limit)s

-- channels --
SELECT name, epoch, top, published_at FROM realtime_channels
WHERE name > %(after)s AND starts_with(name, %(prefix)s)
ORDER BY name LIMIT %(limit)s

-- count_expired --
SELECT count(*) FROM (
  SELECT FROM realtime_publications WHERE expires_at < %(before)s LIMIT %(most)s
) AS expired

-- purge_expired --
DELETE FROM realtime_publications AS p
USING (
  SELECT channel, number FROM realtime_publications WHERE expires_at < %(before)s
  ORDER BY expires_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
) AS expired
WHERE p.channel = expired.channel AND p.number = expired.number

-- count_silent --
SELECT count(*) FROM (
  SELECT FROM realtime_channels WHERE published_at < %(before)s LIMIT %(most)s
) AS silent

-- purge_silent --
-- Who comes back to one begins anew.
DELETE FROM realtime_channels WHERE name IN (
  SELECT name FROM realtime_channels AS c
  WHERE published_at < %(before)s AND NOT EXISTS (SELECT FROM realtime_publications WHERE channel = c.name)
  ORDER BY published_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)

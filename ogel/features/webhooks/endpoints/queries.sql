-- insert_endpoint --
INSERT INTO webhook_endpoints
  (id, url, description, event_globs, event_likes, sealed_secret, headers, max_in_flight, timeout_seconds)
VALUES
  (%(id)s, %(url)s, %(description)s, %(event_globs)s, %(event_likes)s, %(sealed_secret)s, %(headers)s::jsonb,
   %(max_in_flight)s, %(timeout_seconds)s)
RETURNING id, url, description, event_globs AS events, state, headers, max_in_flight, timeout_seconds, created_at,
          updated_at

-- get_endpoint --
SELECT id, url, description, event_globs AS events, state, headers, max_in_flight, timeout_seconds, created_at,
       updated_at
FROM webhook_endpoints WHERE id = %(id)s

-- lock_endpoint --
-- FOR UPDATE conflicts with the FOR KEY SHARE of a fan-out: a state change waits for publishers, and they for it.
SELECT id, url, description, event_globs AS events, state, headers, max_in_flight, timeout_seconds, created_at,
       updated_at
FROM webhook_endpoints WHERE id = %(id)s FOR UPDATE

-- list_endpoints --
SELECT id, url, description, event_globs AS events, state, headers, max_in_flight, timeout_seconds, created_at,
       updated_at
FROM webhook_endpoints
WHERE %(after)s::text IS NULL OR id < %(after)s
ORDER BY id DESC
LIMIT %(limit)s

-- update_endpoint --
UPDATE webhook_endpoints
SET url = %(url)s, description = %(description)s, event_globs = %(event_globs)s, event_likes = %(event_likes)s,
    state = %(state)s, headers = %(headers)s::jsonb, max_in_flight = %(max_in_flight)s,
    timeout_seconds = %(timeout_seconds)s, updated_at = now()
WHERE id = %(id)s
RETURNING id, url, description, event_globs AS events, state, headers, max_in_flight, timeout_seconds, created_at,
          updated_at

-- delete_endpoint --
DELETE FROM webhook_endpoints WHERE id = %(id)s

-- find_test_endpoint --
-- The endpoint an earlier test of this URL made: it listens to nothing by itself.
SELECT id FROM webhook_endpoints WHERE url = %(url)s AND event_globs = '{}' LIMIT 1

-- replace_secret --
UPDATE webhook_endpoints SET sealed_secret = %(sealed_secret)s, updated_at = now() WHERE id = %(id)s

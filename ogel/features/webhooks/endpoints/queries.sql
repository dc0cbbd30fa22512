-- insert_endpoint --
INSERT INTO webhook_endpoints
  (id, url, description, event_globs, event_likes, sealed_headers, header_hints, max_in_flight,
   timeout_seconds, rate_limit, filter, payload, ordered_by, compatibility, kind)
VALUES
  (%(id)s, %(url)s, %(description)s, %(event_globs)s, %(event_likes)s, %(sealed_headers)s,
   %(header_hints)s::json, %(max_in_flight)s, %(timeout_seconds)s, %(rate_limit)s::jsonb, %(filter)s::json,
   %(payload)s, %(ordered_by)s, %(compatibility)s, %(kind)s)
RETURNING id, url, description, event_globs AS events, state, disabled_reason, header_hints AS headers, max_in_flight,
          timeout_seconds, rate_limit, filter, payload, ordered_by, compatibility, kind, created_at, updated_at

-- get_endpoint --
SELECT id, url, description, event_globs AS events, state, disabled_reason, header_hints AS headers, max_in_flight,
       timeout_seconds, rate_limit, filter, payload, ordered_by, compatibility, kind, created_at, updated_at
FROM webhook_endpoints WHERE id = %(id)s

-- lock_endpoint --
-- Against others who change it. A fan-out under way holds FOR KEY SHARE, which only a DELETE waits for: what it writes for
-- an endpoint that is paused meanwhile is held with all that waits.
SELECT id, url, description, event_globs AS events, state, disabled_reason, header_hints AS headers, max_in_flight,
       timeout_seconds, rate_limit, filter, payload, ordered_by, compatibility, kind, created_at, updated_at
FROM webhook_endpoints WHERE id = %(id)s FOR NO KEY UPDATE

-- list_endpoints --
SELECT id, url, description, event_globs AS events, state, disabled_reason, header_hints AS headers, max_in_flight,
       timeout_seconds, rate_limit, filter, payload, ordered_by, compatibility, kind, created_at, updated_at
FROM webhook_endpoints
WHERE (%(after)s::text IS NULL OR id < %(after)s)
  AND event_globs <> '{}'  -- those are there for a test only, see one_off.py
ORDER BY id DESC
LIMIT %(limit)s

-- update_endpoint --
UPDATE webhook_endpoints
SET url = %(url)s, description = %(description)s, event_globs = %(event_globs)s, event_likes = %(event_likes)s,
    state = %(state)s, disabled_reason = %(disabled_reason)s, max_in_flight = %(max_in_flight)s,
    timeout_seconds = %(timeout_seconds)s,
    rate_limit = %(rate_limit)s::jsonb, filter = %(filter)s::json, payload = %(payload)s, ordered_by = %(ordered_by)s,
    compatibility = %(compatibility)s, updated_at = now()
WHERE id = %(id)s
RETURNING id, url, description, event_globs AS events, state, disabled_reason, header_hints AS headers, max_in_flight,
          timeout_seconds, rate_limit, filter, payload, ordered_by, compatibility, kind, created_at, updated_at

-- replace_headers --
UPDATE webhook_endpoints SET sealed_headers = %(sealed_headers)s, header_hints = %(header_hints)s::json, headers = '{}'
WHERE id = %(id)s

-- plain_headers --
-- Written by the version before; newer than sealed ones beside them, which we never write without emptying these.
SELECT id, headers FROM webhook_endpoints
WHERE headers <> '{}'
ORDER BY id LIMIT %(limit)s
FOR UPDATE SKIP LOCKED

-- delete_endpoint --
DELETE FROM webhook_endpoints WHERE id = %(id)s

-- find_test_endpoint --
-- The endpoint made by an earlier test of this URL; it gets no events.
SELECT id FROM webhook_endpoints WHERE url = %(url)s AND event_globs = '{}' LIMIT 1 FOR NO KEY UPDATE

-- is_over --
SELECT event_globs = '{}' AND NOT EXISTS (
  SELECT FROM webhook_deliveries AS d WHERE d.webhook_id = w.id AND d.status = 'pending'
)
FROM webhook_endpoints AS w WHERE id = %(id)s

-- insert_session --
INSERT INTO sessions (id, user_id, amr, token_key, ip, user_agent, not_after)
VALUES (%(id)s, %(user_id)s, %(amr)s::jsonb, %(token_key)s, %(ip)s, %(user_agent)s,
        now() + make_interval(secs => least(%(idle_seconds)s, %(lifetime_seconds)s)))

-- signed_in --
UPDATE users SET last_sign_in_at = now(), updated_at = now() WHERE id = %(user_id)s

-- account --
SELECT {account} FROM users AS u WHERE u.id = %(user_id)s

-- standing --
SELECT CASE WHEN s.id IS NOT NULL THEN {account} END,
       coalesce(extract(epoch FROM s.not_after - now())::float8, 0), coalesce(u.banned_until > now(), false)
FROM users AS u LEFT JOIN sessions AS s ON s.id = %(session_id)s AND s.user_id = u.id
WHERE u.id = %(user_id)s AND u.deleted_at IS NULL

-- to_refresh --
SELECT s.user_id, s.counter, coalesce(s.previous_until > now(), false), s.token_key, s.not_after > now(),
       coalesce(u.banned_until > now(), false)
FROM sessions AS s JOIN users AS u ON u.id = s.user_id
WHERE s.id = %(session_id)s AND u.deleted_at IS NULL

-- step --
-- Nobody has refreshed it since it was read, or no row is changed.
UPDATE sessions AS s
SET counter = %(next)s, previous_until = now() + make_interval(secs => %(reuse_seconds)s), refreshed_at = now(),
    not_after = least(now() + make_interval(secs => %(idle_seconds)s),
                      s.created_at + make_interval(secs => %(lifetime_seconds)s)),
    ip = coalesce(%(ip)s, s.ip), user_agent = coalesce(%(user_agent)s, s.user_agent)
FROM users AS u
WHERE s.id = %(session_id)s AND s.counter = %(counter)s AND s.not_after > now()
  AND u.id = s.user_id AND u.deleted_at IS NULL AND (u.banned_until IS NULL OR u.banned_until <= now())
RETURNING s.aal, s.amr, {account}

-- as_it_is --
SELECT s.aal, s.amr, {account}
FROM sessions AS s JOIN users AS u ON u.id = s.user_id
WHERE s.id = %(session_id)s AND s.counter = %(counter)s

-- verified --
UPDATE sessions
SET aal = 'aal2', factor_id = %(factor_id)s, counter = counter + 1,
    previous_until = now() + make_interval(secs => %(reuse_seconds)s), refreshed_at = now(),
    amr = %(amr)s::jsonb || jsonb_path_query_array(amr, '$[*] ? (@.method != $method)', %(vars)s::jsonb)
WHERE id = %(session_id)s AND not_after > now()
RETURNING user_id, counter, token_key, amr

-- downgrade --
UPDATE sessions SET aal = 'aal1', factor_id = NULL WHERE user_id = %(user_id)s AND factor_id = %(factor_id)s

-- end_sessions --
DELETE FROM sessions
WHERE user_id = %(user_id)s
  AND CASE %(which)s WHEN 'global' THEN true WHEN 'local' THEN id = %(session_id)s
                     ELSE id IS DISTINCT FROM %(session_id)s END
RETURNING id

-- end_oldest --
DELETE FROM sessions WHERE id IN (
  SELECT id FROM sessions WHERE user_id = %(user_id)s AND id <> %(session_id)s
  ORDER BY refreshed_at DESC, id OFFSET %(others)s
)
RETURNING id

-- standings --
SELECT s.id::text, extract(epoch FROM s.not_after - now())::float8, u.id, u.confirmed_at IS NOT NULL, u.labels,
       ARRAY(SELECT r.role FROM {team_roles} AS r WHERE r.user_id = u.id)
FROM sessions AS s JOIN users AS u ON u.id = s.user_id
WHERE s.id = ANY (%(ids)s::uuid[]) AND u.deleted_at IS NULL AND (u.banned_until IS NULL OR u.banned_until <= now())

-- owner --
SELECT user_id FROM sessions WHERE id = %(session_id)s

-- knows --
SELECT true FROM users WHERE id = %(user_id)s

-- list_sessions --
SELECT id, user_id, aal, amr, host(ip) AS ip, user_agent, created_at, refreshed_at, not_after
FROM sessions
WHERE user_id = %(user_id)s AND not_after > now()
ORDER BY refreshed_at DESC, id

-- count_over --
SELECT count(*) FROM (SELECT FROM sessions WHERE not_after < %(before)s LIMIT %(most)s) AS old

-- purge_over --
DELETE FROM sessions WHERE id IN (
  SELECT id FROM sessions WHERE not_after < %(before)s ORDER BY not_after LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)

-- insert_key --
INSERT INTO api_keys (id, name, kind, key_hash, hint, scopes, networks, expires_at, made_by)
VALUES (
  %(id)s, %(name)s, %(kind)s, %(key_hash)s, %(hint)s, %(scopes)s, %(networks)s, %(expires_at)s, %(made_by)s
)

-- find_by_hash --
-- With the reason why the key has ended, or the seconds until it expires.
SELECT id, scopes, CASE WHEN revoked_at IS NOT NULL THEN 'revoked' WHEN expires_at <= now() THEN 'expired' END,
       extract(epoch FROM expires_at - now())::float8, networks, kind
FROM api_keys WHERE key_hash = %(key_hash)s

-- standings --
SELECT id, scopes, CASE WHEN revoked_at IS NOT NULL THEN 'revoked' WHEN expires_at <= now() THEN 'expired' END,
       extract(epoch FROM expires_at - now())::float8, networks, kind
FROM api_keys WHERE id = ANY (%(ids)s)

-- list_keys --
SELECT id, name, kind, hint, scopes, networks, expires_at, revoked_at, created_at, made_by, replaced_by
FROM api_keys WHERE %(after)s::text IS NULL OR id < %(after)s ORDER BY id DESC LIMIT %(limit)s

-- get_key --
SELECT id, name, kind, hint, scopes, networks, expires_at, revoked_at, created_at, made_by, replaced_by
FROM api_keys WHERE id = %(id)s

-- get_good --
-- Locks a key that another key is being made with, so that it cannot be revoked in between.
SELECT id, name, kind, hint, scopes, networks, expires_at, revoked_at, created_at, made_by, replaced_by
FROM api_keys WHERE id = %(id)s AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now()) FOR SHARE

-- get_good_to_change --
SELECT id, name, kind, hint, scopes, networks, expires_at, revoked_at, created_at, made_by, replaced_by
FROM api_keys WHERE id = %(id)s AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now()) FOR UPDATE

-- lock --
-- In one order whoever asks, so that two keys that rotate each other wait, and for no more than each other's end.
SELECT id FROM api_keys WHERE id = ANY (%(ids)s) ORDER BY id FOR UPDATE

-- replace --
-- The old key keeps working for the overlap, but never longer than it would have.
UPDATE api_keys
SET replaced_by = %(by)s,
    revoked_at = CASE WHEN %(overlap_seconds)s = 0 THEN now() END,
    expires_at = CASE WHEN %(overlap_seconds)s = 0 THEN expires_at
                      ELSE least(expires_at, now() + make_interval(secs => %(overlap_seconds)s)) END
WHERE id = %(id)s

-- revoke --
UPDATE api_keys SET revoked_at = now() WHERE id = %(id)s

-- count_ended --
SELECT count(*) FROM (SELECT FROM api_keys WHERE least(revoked_at, expires_at) < %(before)s LIMIT %(most)s) AS old

-- purge_ended --
DELETE FROM api_keys WHERE id IN (
  SELECT id FROM api_keys WHERE least(revoked_at, expires_at) < %(before)s
  ORDER BY least(revoked_at, expires_at) LIMIT %(limit)s
  FOR UPDATE SKIP LOCKED
)

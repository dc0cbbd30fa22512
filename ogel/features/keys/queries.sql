-- insert_key --
INSERT INTO api_keys (id, name, key_hash, hint, scopes, expires_at)
VALUES (%(id)s, %(name)s, %(key_hash)s, %(hint)s, %(scopes)s, %(expires_at)s)

-- find_by_hash --
-- And why it is good no more, or for how much longer it is.
SELECT id, scopes, CASE WHEN revoked_at IS NOT NULL THEN 'revoked' WHEN expires_at <= now() THEN 'expired' END,
       extract(epoch FROM expires_at - now())::float8
FROM api_keys WHERE key_hash = %(key_hash)s

-- standings --
SELECT id, scopes, CASE WHEN revoked_at IS NOT NULL THEN 'revoked' WHEN expires_at <= now() THEN 'expired' END,
       extract(epoch FROM expires_at - now())::float8
FROM api_keys WHERE id = ANY (%(ids)s)

-- list_keys --
SELECT id, name, hint, scopes, expires_at, revoked_at, created_at FROM api_keys ORDER BY id

-- revoke --
UPDATE api_keys SET revoked_at = now() WHERE id = %(id)s AND revoked_at IS NULL RETURNING id

-- count_ended --
SELECT count(*) FROM (SELECT FROM api_keys WHERE least(revoked_at, expires_at) < %(before)s LIMIT %(most)s) AS old

-- purge_ended --
DELETE FROM api_keys WHERE id IN (
  SELECT id FROM api_keys WHERE least(revoked_at, expires_at) < %(before)s
  ORDER BY least(revoked_at, expires_at) LIMIT %(limit)s
  FOR UPDATE SKIP LOCKED
)

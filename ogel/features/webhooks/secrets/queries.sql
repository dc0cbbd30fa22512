-- insert_secret --
-- Not now(): of two rotations that wait for each other, the one that comes second began its transaction first.
INSERT INTO webhook_secrets (id, webhook_id, signing, sealed, created_at)
VALUES (%(id)s, %(webhook_id)s, %(signing)s, %(sealed)s, clock_timestamp())

-- next_version --
-- Tells workers to read the endpoint anew: every update is a new version of it. And holds other rotations of this endpoint off until we commit.
UPDATE webhook_endpoints SET updated_at = now()
WHERE id = %(webhook_id)s
RETURNING compatibility

-- live_secrets --
-- Newest first.
SELECT webhook_id, id, signing, sealed, created_at, expires_at
FROM webhook_secrets
WHERE webhook_id = ANY (%(webhook_ids)s) AND (expires_at IS NULL OR expires_at > now())
ORDER BY webhook_id, created_at DESC, id DESC

-- end_secrets --
-- Limits the lifetime of the present secrets; those that end sooner still do.
UPDATE webhook_secrets
SET expires_at = least(expires_at, clock_timestamp() + make_interval(secs => %(overlap_seconds)s))
WHERE webhook_id = %(webhook_id)s

-- drop_ended --
DELETE FROM webhook_secrets WHERE webhook_id = %(webhook_id)s AND expires_at <= clock_timestamp()

-- last_end --
SELECT max(expires_at) FROM webhook_secrets WHERE webhook_id = %(webhook_id)s

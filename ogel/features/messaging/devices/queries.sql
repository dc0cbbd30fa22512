-- lock_address --
-- Held until the transaction ends. Two addresses with the same key wait for each other, which does no harm.
SELECT pg_advisory_xact_lock(%(key)s)

-- find_device --
SELECT id FROM devices WHERE address_hash = %(address_hash)s

-- put_device --
-- Registers a device, or what is new about one that is known.
INSERT INTO devices AS d (id, provider, service, address_hash, sealed, subject)
VALUES (%(id)s, %(provider)s, %(service)s, %(address_hash)s, %(sealed)s, %(subject)s)
ON CONFLICT (id) DO UPDATE
SET sealed = excluded.sealed, subject = excluded.subject, disabled_at = NULL, disabled_reason = NULL,
    updated_at = clock_timestamp()
RETURNING id, provider, service, subject, CASE WHEN disabled_at IS NULL THEN 'enabled' ELSE 'disabled' END AS state,
          disabled_reason, disabled_at, created_at, updated_at

-- get_device --
SELECT id, provider, service, subject, CASE WHEN disabled_at IS NULL THEN 'enabled' ELSE 'disabled' END AS state,
       disabled_reason, disabled_at, created_at, updated_at
FROM devices WHERE id = %(id)s

-- list_devices --
-- Newest first; every filter may be null.
SELECT id, provider, service, subject, CASE WHEN disabled_at IS NULL THEN 'enabled' ELSE 'disabled' END AS state,
       disabled_reason, disabled_at, created_at, updated_at
FROM devices
WHERE (%(after)s::text IS NULL OR id < %(after)s)
  AND (%(subject)s::text IS NULL OR subject = %(subject)s)
ORDER BY id DESC
LIMIT %(limit)s

-- targets --
SELECT id, service, disabled_reason FROM devices WHERE id = ANY (%(ids)s)

-- delete_device --
DELETE FROM devices WHERE id = %(id)s

-- disable_devices --
-- Locked in the order of their ids, so that workers with the same devices wait for each other and do not deadlock.
WITH gone AS (
  SELECT d.id, r.reason
  FROM devices AS d JOIN json_to_recordset(%(rows)s::json) AS r (id text, seen_at timestamptz, reason text) USING (id)
  WHERE d.disabled_at IS NULL AND d.updated_at = r.seen_at
  ORDER BY d.id
  FOR UPDATE OF d
)
UPDATE devices AS d SET disabled_at = now(), disabled_reason = gone.reason, updated_at = clock_timestamp()
FROM gone WHERE d.id = gone.id
RETURNING d.id, d.provider, d.service, d.subject, 'disabled' AS state, d.disabled_reason, d.disabled_at, d.created_at,
          d.updated_at

-- count_gone --
SELECT count(*) FROM (SELECT FROM devices WHERE disabled_at < %(before)s LIMIT %(most)s) AS old

-- purge_gone --
DELETE FROM devices WHERE id IN (
  SELECT id FROM devices WHERE disabled_at < %(before)s ORDER BY disabled_at LIMIT %(limit)s
  FOR UPDATE SKIP LOCKED
)

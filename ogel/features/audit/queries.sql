-- insert_records --
INSERT INTO audit_logs (id, actor, action, resource_type, resource_id, metadata, ip_address, user_agent, request_id)
SELECT id, actor, action, resource_type, resource_id, metadata, ip_address, user_agent, request_id
FROM json_to_recordset(%(rows)s::json) AS r (
  id text, actor text, action text, resource_type text, resource_id text, metadata jsonb, ip_address inet,
  user_agent text, request_id text
)

-- list_records --
-- Newest first; every filter may be null.
SELECT id, user_id::text, actor, action, resource_type, resource_id, metadata, host(ip_address) AS ip_address,
       user_agent, request_id, created_at
FROM audit_logs
WHERE (%(after)s::text IS NULL OR id < %(after)s)
  AND (%(actor)s::text IS NULL OR actor = %(actor)s)
  AND (%(action)s::text IS NULL OR action = %(action)s)
  AND (%(resource_type)s::text IS NULL OR resource_type = %(resource_type)s)
  AND (%(resource_id)s::text IS NULL OR resource_id = %(resource_id)s)
  AND (%(since)s::timestamptz IS NULL OR created_at >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR created_at < %(until)s)
ORDER BY id DESC
LIMIT %(limit)s

-- count_old --
SELECT count(*) FROM audit_logs WHERE created_at < %(before)s

-- purge_old --
DELETE FROM audit_logs WHERE id IN (
  SELECT id FROM audit_logs WHERE created_at < %(before)s ORDER BY created_at LIMIT %(limit)s
)

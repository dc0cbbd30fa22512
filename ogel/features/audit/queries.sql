-- insert_records --
INSERT INTO audit_logs
  (id, user_id, actor, action, resource_type, resource_id, metadata, ip_address, user_agent, request_id)
SELECT id, user_id, actor, action, resource_type, resource_id, metadata, ip_address, user_agent, request_id
FROM json_to_recordset(%(rows)s::json) AS r (
  id text, user_id uuid, actor text, action text, resource_type text, resource_id text, metadata jsonb, ip_address inet,
  user_agent text, request_id text
)

-- records_of_events --
-- Records for those events that the piece `published` of the same statement has inserted.
INSERT INTO audit_logs
  (id, user_id, actor, action, resource_type, resource_id, metadata, ip_address, user_agent, request_id)
SELECT id, user_id, actor, action, resource_type, resource_id, metadata, ip_address, user_agent, request_id
FROM json_to_recordset(%(records)s::json) AS r (
  id text, user_id uuid, actor text, action text, resource_type text, resource_id text, metadata jsonb, ip_address inet,
  user_agent text, request_id text
)
WHERE resource_id IN (SELECT id FROM published)

-- lock_rare --
-- Serialises transactions that check whether something was recorded and then record it.
SELECT pg_advisory_xact_lock(hashtext('ogel audit rare'))

-- insert_rare --
INSERT INTO audit_logs
  (id, user_id, actor, action, resource_type, resource_id, metadata, ip_address, user_agent, request_id)
SELECT id, user_id, actor, action, resource_type, resource_id, metadata, ip_address, user_agent, request_id
FROM json_to_recordset(%(rows)s::json) AS r (
  id text, user_id uuid, actor text, action text, resource_type text, resource_id text, metadata jsonb, ip_address inet,
  user_agent text, request_id text
)
WHERE NOT EXISTS (
  SELECT FROM audit_logs AS a
  WHERE a.resource_type = r.resource_type AND a.resource_id = r.resource_id AND a.id >= %(first_id)s
    AND a.action = r.action
)

-- list_records --
-- Newest first; every filter may be null.
SELECT id, user_id::text, actor, action, resource_type, resource_id, metadata, host(ip_address) AS ip_address,
       user_agent, request_id, created_at, chain_seq AS seq, encode(hash, 'hex') AS hash
FROM audit_logs
WHERE (%(after)s::text IS NULL OR id < %(after)s)
  AND (%(user_id)s::uuid IS NULL OR user_id = %(user_id)s)
  AND (%(actor)s::text IS NULL OR actor = %(actor)s)
  AND (%(action)s::text IS NULL OR action = %(action)s)
  AND (%(resource_type)s::text IS NULL OR resource_type = %(resource_type)s)
  AND (%(resource_id)s::text IS NULL OR resource_id = %(resource_id)s)
  AND (%(since)s::timestamptz IS NULL OR created_at >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR created_at < %(until)s)
ORDER BY id DESC
LIMIT %(limit)s

-- list_of_persons --
SELECT id, user_id, action, resource_type, metadata, host(ip_address) AS ip_address, created_at
FROM audit_logs
WHERE user_id IS NOT NULL
  AND (%(user_ids)s::uuid[] IS NULL OR user_id = ANY (%(user_ids)s))
  AND (%(actions)s::text[] IS NULL OR action = ANY (%(actions)s))
ORDER BY id DESC
OFFSET %(offset)s LIMIT %(limit)s

-- count_of_persons --
SELECT count(*) FROM audit_logs
WHERE user_id IS NOT NULL
  AND (%(user_ids)s::uuid[] IS NULL OR user_id = ANY (%(user_ids)s))
  AND (%(actions)s::text[] IS NULL OR action = ANY (%(actions)s))

-- unsealed --
-- Metadata is read as text, so that numbers of any length stay as they are.
SELECT 0, id, user_id::text, actor, action, resource_type, resource_id, metadata::text, host(ip_address), user_agent,
       request_id, created_at
FROM audit_logs
WHERE chain_seq IS NULL AND created_at < %(before)s
ORDER BY created_at, id
LIMIT %(limit)s

-- seal --
UPDATE audit_logs AS a SET chain_seq = %(first)s + r.place - 1, hash = r.hash
FROM unnest(%(ids)s::text[], %(hashes)s::bytea[]) WITH ORDINALITY AS r (id, hash, place)
WHERE a.id = r.id AND a.chain_seq IS NULL

-- linked --
-- In the order of the chain. Ids only matter when somebody has given two records the same position.
SELECT chain_seq, id, user_id::text, actor, action, resource_type, resource_id, metadata::text, host(ip_address),
       user_agent, request_id, created_at, coalesce(hash, '')
FROM audit_logs
WHERE chain_seq BETWEEN %(first)s AND %(last)s
  AND (%(after_id)s::text IS NULL OR chain_seq > %(first)s OR id > %(after_id)s)
ORDER BY chain_seq, id
LIMIT %(limit)s

-- count_unsealed --
SELECT count(*), min(created_at) FROM audit_logs WHERE chain_seq IS NULL

-- beyond_head --
SELECT chain_seq, id FROM audit_logs
WHERE chain_seq > coalesce((SELECT seq FROM audit_chain WHERE name = 'head'), 0)
ORDER BY chain_seq LIMIT 1

-- first_since --
-- The position of the first record of that time or later; null when there is none.
SELECT chain_seq FROM audit_logs
WHERE created_at >= %(moment)s AND chain_seq IS NOT NULL
ORDER BY created_at, id LIMIT 1

-- hash_at --
SELECT hash FROM audit_logs WHERE chain_seq = %(seq)s

-- count_old --
-- The beginning of the chain, up to the first record that is too young to be purged.
SELECT count(*) FROM (
  SELECT FROM audit_logs
  WHERE chain_seq < coalesce((
    SELECT chain_seq FROM audit_logs
    WHERE created_at >= %(before)s AND chain_seq IS NOT NULL
    ORDER BY created_at, id LIMIT 1
  ), 9223372036854775807)
  LIMIT %(most)s
) AS old

-- prefix --
-- The last of the first `limit` records that may be purged.
SELECT chain_seq, hash FROM (
  SELECT chain_seq, hash FROM audit_logs
  WHERE chain_seq < coalesce((
    SELECT chain_seq FROM audit_logs
    WHERE created_at >= %(before)s AND chain_seq IS NOT NULL
    ORDER BY created_at, id LIMIT 1
  ), 9223372036854775807)
  ORDER BY chain_seq LIMIT %(limit)s
) AS first
ORDER BY chain_seq DESC LIMIT 1

-- delete_until --
DELETE FROM audit_logs WHERE chain_seq <= %(seq)s

-- read_end --
SELECT seq, hash, sealed FROM audit_chain WHERE name = %(name)s

-- begin_end --
INSERT INTO audit_chain (name, seq, hash, sealed) VALUES (%(name)s, %(seq)s, %(hash)s, %(sealed)s)
ON CONFLICT (name) DO NOTHING

-- hold_end --
SELECT seq, hash, sealed FROM audit_chain WHERE name = %(name)s FOR UPDATE

-- move_end --
UPDATE audit_chain SET seq = %(seq)s, hash = %(hash)s, sealed = %(sealed)s, updated_at = now() WHERE name = %(name)s

-- has_dead_job --
SELECT EXISTS (SELECT FROM {jobs} AS j WHERE queue_name = %(queue)s AND status = 'dead' AND kind = %(kind)s)

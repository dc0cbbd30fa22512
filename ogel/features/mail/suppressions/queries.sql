-- insert_suppression --
-- An address that is suppressed already keeps its first reason, and nothing is returned.
INSERT INTO mail_suppressions (address, reason, detail) VALUES (%(address)s, %(reason)s, %(detail)s)
ON CONFLICT (address) DO NOTHING
RETURNING address

-- get_suppression --
SELECT address, reason, detail, message_id AS message, created_at FROM mail_suppressions WHERE address = %(address)s

-- list_suppressions --
SELECT address, reason, detail, message_id AS message, created_at
FROM mail_suppressions
WHERE %(after)s::text IS NULL OR address > %(after)s
ORDER BY address
LIMIT %(limit)s

-- delete_suppression --
DELETE FROM mail_suppressions WHERE address = %(address)s

-- get_maintenance --
SELECT message, retry_after_seconds, since, switched_by FROM maintenance

-- switch_on --
-- Since when it is on does not change when somebody says something else about it.
INSERT INTO maintenance (message, retry_after_seconds, switched_by)
VALUES (%(message)s, %(retry_after_seconds)s, %(switched_by)s)
ON CONFLICT (only_one) DO UPDATE
SET message = excluded.message, retry_after_seconds = excluded.retry_after_seconds, switched_by = excluded.switched_by

-- switch_off --
DELETE FROM maintenance

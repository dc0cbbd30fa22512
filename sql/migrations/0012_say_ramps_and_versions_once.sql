-- When a recovered key's ramp ends stood as "30 seconds after ramp_from" in every query that asked. And every update of an
-- endpoint is a new version of it already: a count of its rotations beside that is of no use. The version before reads
-- that count, and has to stop first.

ALTER TABLE job_keys ADD COLUMN ramp_until timestamptz;
UPDATE job_keys SET ramp_until = ramp_from + interval '30 seconds' WHERE ramp_from > now() - interval '30 seconds';
COMMENT ON COLUMN job_keys.ramp_until IS 'the ramp ends then, and nothing holds the key back';

ALTER TABLE webhook_endpoints DROP COLUMN secrets_version;

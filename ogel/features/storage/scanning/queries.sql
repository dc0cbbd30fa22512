-- get --
-- An object that waits for its scan, in this version of it.
SELECT {object} FROM objects WHERE version = %(version)s AND scan_state IN ('pending', 'failed')

-- set --
-- What was found of it. It is not changed by that, and its time stays.
UPDATE objects SET scan_state = %(state)s WHERE version = %(version)s AND scan_state IN ('pending', 'failed')
RETURNING {object}

-- waiting --
-- Versions that wait for their scan, those that wait longest first.
SELECT version FROM objects WHERE scan_state IN ('pending', 'failed') AND scan_state = ANY (%(states)s)
ORDER BY updated_at LIMIT %(limit)s

-- let_go --
-- What waits in a bucket that wants no scans any more can be read.
UPDATE objects SET scan_state = 'none' WHERE bucket_id = %(bucket)s AND scan_state IN ('pending', 'failed')

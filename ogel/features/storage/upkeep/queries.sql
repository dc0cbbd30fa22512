-- due --
-- What nobody wants any more, and no reader has time left for.
SELECT count(*) AS blobs, coalesce(sum(size), 0)::bigint AS bytes
FROM storage_blobs WHERE state <> 'live' AND until < now()

-- restored --
-- In a restored database: what was being written or deleted. The suite that was backed up may go on with the same store,
-- and some of it is an object of its by now, so it is left there; `verify` finds it where it is nobody's.
DELETE FROM storage_blobs WHERE state <> 'live'

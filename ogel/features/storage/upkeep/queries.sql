-- due --
-- What nobody wants any more, and no reader has time left for.
SELECT count(*) AS blobs, coalesce(sum(size), 0)::bigint AS bytes
FROM storage_blobs WHERE state <> 'live' AND until < now()

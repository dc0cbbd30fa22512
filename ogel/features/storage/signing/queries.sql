-- readable --
-- Those of the names that whoever asks may read.
SELECT name FROM objects WHERE bucket_id = %(bucket)s AND name = ANY (%(names)s)

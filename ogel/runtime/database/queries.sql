-- little_memory --
SET LOCAL work_mem = '64kB'

-- spill --
-- More rows than that memory holds, so that the server has to write some to its disk.
SELECT current_setting('transaction_read_only') = 'on' FROM generate_series(1, 10000) HAVING count(*) > 0

-- A lane was a job's priority by another name.
ALTER TABLE job_queue RENAME COLUMN lane TO priority;
COMMENT ON COLUMN job_queue.priority IS
  '-1 urgent, 0 first attempts, 1 retries, 2 replays, 3 what can wait: lower ones are claimed first';

-- PostgreSQL 18 and later name what forbids NULL after its column.
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_constraint
             WHERE conrelid = 'job_queue'::regclass AND conname = 'job_queue_lane_not_null') THEN
    ALTER TABLE job_queue RENAME CONSTRAINT job_queue_lane_not_null TO job_queue_priority_not_null;
  END IF;
END $$;

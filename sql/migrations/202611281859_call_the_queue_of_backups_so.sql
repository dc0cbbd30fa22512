-- The queue that makes backups was called `migrations`. What waits there, or died there, is performed under its new name;
-- a pause stays one. `job_results` and `schedules` say where jobs were, or will be shown. The version before would write
-- jobs to a queue that no worker serves any more; its processes find no table since 202611281830 anyway.
-- needs: 202611281830_move_tables_to_schema_ogel
UPDATE job_queue SET queue_name = 'backups' WHERE queue_name = 'migrations';
UPDATE job_results SET queue_name = 'backups' WHERE queue_name = 'migrations';
UPDATE schedules SET job_queue = 'backups' WHERE job_queue = 'migrations';
UPDATE paused_queues SET name = 'backups' WHERE name = 'migrations';

-- Mail and stats purged by kinds and schedules of their own; cleanup does it now. Nobody would perform what still waits.
DELETE FROM job_queue WHERE kind IN ('mail.purge', 'stats.purge_usage', 'stats.purge_resources');
DELETE FROM schedules WHERE name IN ('mail.purge', 'stats.purge_usage', 'stats.purge_resources');

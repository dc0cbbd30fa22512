"""Resources: samples of Postgres, Redis, queues, processes and the disk, taken every five minutes."""

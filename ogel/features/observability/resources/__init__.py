"""Resources: how Postgres, Redis, queues, processes and the disk are, sampled every five minutes."""

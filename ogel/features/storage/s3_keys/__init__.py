"""S3 keys: who may come in at `/s3`, to which buckets, and whether to write."""

"""Object stores: a directory of this machine, or a bucket of an S3 service."""

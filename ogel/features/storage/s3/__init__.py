"""Storage as clients of S3 ask for it."""

"""Quotas: how much a bucket, or a user, may store. Triggers of the database count, whatever dies."""

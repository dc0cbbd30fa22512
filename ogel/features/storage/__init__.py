"""Files in buckets: uploaded, listed, served, and forgotten."""

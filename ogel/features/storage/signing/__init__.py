"""URLs that let who has them download or upload one object for a while."""

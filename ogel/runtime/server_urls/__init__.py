"""URLs of servers as people paste them: read strictly, cleaned of what other clients put there, never quoted."""

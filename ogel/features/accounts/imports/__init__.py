"""Users who come from elsewhere, with their passwords, other sites' accounts and second factors."""

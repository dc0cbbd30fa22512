"""Sign-in with accounts of other sites: GitHub, Google, any OpenID issuer."""

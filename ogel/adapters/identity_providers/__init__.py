"""Identity providers: GitHub, and whoever speaks OpenID Connect."""

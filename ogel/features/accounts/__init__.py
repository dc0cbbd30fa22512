"""Sign people up and in, with sessions that can be ended, a second factor, and other sites' accounts."""

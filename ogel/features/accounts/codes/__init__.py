"""One-time codes and links that are sent by mail."""

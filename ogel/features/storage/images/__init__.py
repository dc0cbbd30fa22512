"""Pictures: made smaller, or of another format, by processes that a picture can harm alone."""

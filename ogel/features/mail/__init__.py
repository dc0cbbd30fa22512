"""Mail: messages from templates or given texts, one per recipient, sent through the configured providers in turn."""

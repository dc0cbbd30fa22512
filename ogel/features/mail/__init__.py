"""Mail: letters from templates or as given, one message per recipient, sent through providers in turn."""

"""Messages: accepting, looking up, retrying and purging them."""

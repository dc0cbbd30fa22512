"""The machinery that runs features and knows none of them."""

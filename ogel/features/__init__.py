"""What a user of Ogel can name, one folder each."""

"""What services answer when they are asked: where, what, and what it says of them."""

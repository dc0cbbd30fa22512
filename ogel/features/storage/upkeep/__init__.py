"""What operators have done with the store: cleared of what nobody wants, and compared with what is known of it."""

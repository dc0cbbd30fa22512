"""What people do for themselves: sign up, sign in, change what is theirs."""

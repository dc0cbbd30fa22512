"""Teams: people who belong together, what each may do there, and invitations to them."""

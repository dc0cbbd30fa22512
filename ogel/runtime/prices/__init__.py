"""What Railway and others take for memory, CPU, what is sent and what is kept: one table, with a date."""

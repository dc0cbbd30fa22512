"""Getting something to somebody outside: accepted once, tried until it is taken or given up, forgotten after a time."""

"""
Delivery to the outside: a message is accepted once, tried until it is taken or given up, and forgotten after a time.
"""

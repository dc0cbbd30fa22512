"""
Parses server URLs as people paste them: strictly, without the options of other clients, and never quoting secrets.
"""

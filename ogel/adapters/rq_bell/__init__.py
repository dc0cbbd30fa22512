"""
RQ as the bell: one tiny RQ job per ring, at most one waiting per queue, heard by a worker `rq info` can see.

`ring.py` is the ringer's side, `listener.py` the hearer's; nothing is imported here.
"""

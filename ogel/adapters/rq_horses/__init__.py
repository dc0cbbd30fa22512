"""
Isolated jobs through RQ's forked work-horses. `client.py` is the worker's side; `helper.py` and `horse.py` run in
processes of their own, so nothing is imported here.
"""

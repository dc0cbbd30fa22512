"""The composition root: settings in, a platform out. features.py lists the features; nothing else here names one."""

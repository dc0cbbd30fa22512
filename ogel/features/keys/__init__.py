"""API keys: who may call Ogel, and with which scopes."""

"""Devices: where a push can go, registered by the apps and browsers of your users."""

"""Namespaces: the rules that channels of the same beginning share."""

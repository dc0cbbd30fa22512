"""Deliveries and their attempts, as callers see them."""

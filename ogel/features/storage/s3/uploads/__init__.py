"""Multipart uploads: parts that come in any order, and become an object by their numbers."""

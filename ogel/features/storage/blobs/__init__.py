"""Blobs: the bytes of objects, each with a row from before it is stored until after it is gone."""

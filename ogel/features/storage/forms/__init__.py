"""A file in a form, as browsers send it: stored with nothing to be prepared."""

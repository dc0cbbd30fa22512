"""Uploads in several requests, which go on after a connection broke or the server was killed: TUS has them so."""

"""Puts the server into an assistant's own configuration, and takes it out again."""

"""Writes the files that are made from the code. Tests compare them with it."""

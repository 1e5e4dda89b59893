"""The streams and signals of this process."""

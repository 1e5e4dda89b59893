"""The approval page: what it shows, and the loopback server that takes its answers."""

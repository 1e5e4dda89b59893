"""What only shows after a while; left out unless asked for."""

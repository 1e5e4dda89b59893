"""What every tool shares: its specification, arguments, results and errors."""

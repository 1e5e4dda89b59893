"""What an operator sees: log lines, metrics and traces. None of them names an argument or a secret."""

"""What an account spends: charges, usage, and how long its balance lasts."""

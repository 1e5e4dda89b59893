"""Programs that are driven or watched from outside, each its own process."""

"""May this change happen? Knows nothing of HTTP to Telnyx."""

"""The servers that are measured against, and the stand-in for Telnyx; each its own process."""

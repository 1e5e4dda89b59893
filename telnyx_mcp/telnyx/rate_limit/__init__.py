"""How requests are paced to stay within Telnyx's rate limits. See docs/rate-limiting.md."""

"""Notices of changes, delivered to a chat from the outbox."""

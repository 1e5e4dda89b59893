"""Approval in a team: who asks, who may approve, and that these are different people."""

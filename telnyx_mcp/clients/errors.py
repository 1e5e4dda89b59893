"""Why a client's configuration was not changed."""

from __future__ import annotations


class ClientConfigError(Exception):
    """The configuration can't be read or written. Its text says why."""


class UnreadableConfig(ClientConfigError):
    """The file is not in its format. The text says where."""


class UnsafeEdit(ClientConfigError):
    """The change can't be made without touching something else in the file."""

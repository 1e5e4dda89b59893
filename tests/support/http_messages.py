"""Requests of the protocol over HTTP, as a client writes them."""

from __future__ import annotations

from tests.support.server_process import BEARER

HEADERS = {
    **BEARER,
    "accept": "application/json, text/event-stream",
    "content-type": "application/json",
}

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}

CALL = {"name": "telnyx_get_balance", "arguments": {}}

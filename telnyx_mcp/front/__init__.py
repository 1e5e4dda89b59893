"""Answers a client that only looks around, without the MCP SDK.

Hosts start a copy of every server for every window and every agent, and call few of them. Importing the
SDK costs half a second of CPU and 50 MiB, so it is imported at the first message that needs it:

    variant -> book -> conversation -> stream -> (the first other message) -> the real server

Everything here imports the standard library's small modules only. What a client sees is the same with
and without it; `tests/front` compares the two.
"""

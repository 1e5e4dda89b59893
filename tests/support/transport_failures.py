"""The error that a request to a scripted Telnyx ends in."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from telnyx_mcp.telnyx import operations as op
from telnyx_mcp.telnyx.errors import TelnyxError
from telnyx_mcp.telnyx.transport import Transport
from tests.conftest import SECONDS


async def failure_of(transport: Transport, operation: op.Operation, **more: Any) -> TelnyxError:
    """The error that a request ends in."""
    with anyio.fail_after(SECONDS), pytest.raises(TelnyxError) as caught:
        await transport.request(operation, **more)
    return caught.value

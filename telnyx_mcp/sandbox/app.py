"""The HTTP side: routes, keys, rate limit and faults around the operations."""

from __future__ import annotations

import time
from datetime import datetime
from email.utils import format_datetime
from functools import partial
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from telnyx_mcp.sandbox.call import Call, Operation
from telnyx_mcp.sandbox.control_routes import PREFIX, ControlRoutes
from telnyx_mcp.sandbox.faults import Fault
from telnyx_mcp.sandbox.operations import OPERATIONS
from telnyx_mcp.sandbox.refusals import Refusal, not_found
from telnyx_mcp.sandbox.responses import Exchange, Response

if TYPE_CHECKING:
    from telnyx_mcp.sandbox.control import Sandbox

EVERY_METHOD = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
UNKNOWN = "unknown"


def build_app(sandbox: Sandbox) -> Starlette:
    """The application: `/v2/...` as Telnyx has it, `/_sandbox/...` to control it."""
    return Starlette(
        routes=[
            *(
                Route(
                    f"/v2{operation.path}",
                    _Endpoint(sandbox, operation),
                    methods=[operation.method],
                )
                for operation in OPERATIONS
            ),
            Route(f"{PREFIX}/{{path:path}}", ControlRoutes(sandbox)),
            Route("/{path:path}", _Endpoint(sandbox, None), methods=EVERY_METHOD),
        ]
    )


class _Endpoint:
    """One operation as an ASGI application; without an operation, whatever is not found."""

    def __init__(self, sandbox: Sandbox, operation: Operation | None) -> None:
        self._sandbox = sandbox
        self._operation = operation
        self._name = UNKNOWN if operation is None else operation.id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        began = time.time()
        try:
            body = await request.body()
        except ClientDisconnect:
            return
        key = _key_of(request)
        seen = self._sandbox.log.note(request, self._name, body, began)
        exchange = Exchange(scope, receive, send, partial(self._sandbox.log.answered, seen))
        exchange.not_before = time.monotonic() + self._sandbox.latency
        exchange.headers.append(_date(self._sandbox.account.now()))
        if self._operation is not None:
            exchange.error_body = self._operation.error_body
        try:
            await self._serve(exchange, request, key, body)
        finally:
            exchange.end(None)

    async def _serve(self, exchange: Exchange, request: Request, key: str, body: bytes) -> None:
        sandbox = self._sandbox
        if sandbox.limit is not None:
            allowance = sandbox.limit.take(key, self._name)
            exchange.headers += allowance.headers()
            if not allowance.allowed:
                await exchange.refuse(Refusal(429))
                return
        if key not in {sandbox.key, sandbox.no_permissions_key}:
            await exchange.refuse(Refusal(401))
            return
        operation = self._operation
        if operation is None:
            await exchange.refuse(not_found())
            return
        if key == sandbox.no_permissions_key:
            await exchange.refuse(Refusal(403))
            return
        call = Call(request.query_params.multi_items(), request.path_params, body)
        fault = sandbox.faults.take(operation.id, call.query)
        try:
            if fault is None:
                await exchange.answer(await self._carry_out(operation, call))
            else:
                await self._fail(exchange, operation, call, fault)
        except Refusal as refusal:
            await exchange.refuse(refusal)

    async def _carry_out(self, operation: Operation, call: Call) -> Response:
        if operation.scans:
            return await run_in_threadpool(operation.handle, self._sandbox.account, call)
        return operation.handle(self._sandbox.account, call)

    async def _fail(
        self, exchange: Exchange, operation: Operation, call: Call, fault: Fault
    ) -> None:
        if fault.kind == "stuck_page":
            query = [pair for pair in call.query if pair[0] != "page[number]"]
            call = Call(query, call.path, call.body)
        reply = await self._carry_out(operation, call) if fault.applied else None
        if fault.kind == "slow":
            if await exchange.left_within(fault.seconds):
                return
            reply = reply or await self._carry_out(operation, call)
        await exchange.misbehave(fault, reply)


def _date(now: datetime) -> tuple[bytes, bytes]:
    return b"date", format_datetime(now, usegmt=True).encode()


def _key_of(request: Request) -> str:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""

"""A tool: what a client is shown, and how a call is handled.

`arguments -> parameters -> the tool's function -> result`. Every failure becomes an error result with an
explanation.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date
from typing import Any, Generic, TypeVar

from mcp_types import CallToolResult, InputRequiredResult, Tool, ToolAnnotations

from telnyx_mcp.config.account_names import ARGUMENT, account_argument
from telnyx_mcp.config.tool_groups import ToolGroup
from telnyx_mcp.request_context import RequestContext
from telnyx_mcp.telnyx.client import TelnyxClient
from telnyx_mcp.telnyx.deadline import CALL_SECONDS, MANY_SECONDS
from telnyx_mcp.telnyx.errors import TelnyxError
from telnyx_mcp.telnyx.names import Names
from telnyx_mcp.telnyx.odd_values import describe
from telnyx_mcp.tools.framework.accounts import AccountRegistry
from telnyx_mcp.tools.framework.arguments import Params
from telnyx_mcp.tools.framework.failure import ToolFailure
from telnyx_mcp.tools.framework.host_arguments import meant_arguments
from telnyx_mcp.tools.framework.input_schema import input_schema
from telnyx_mcp.tools.framework.output_schema import output_schema
from telnyx_mcp.tools.framework.parsing import parse
from telnyx_mcp.tools.framework.progress import Progress
from telnyx_mcp.tools.framework.results import Result, answer, failed
from telnyx_mcp.tools.framework.services import Services
from telnyx_mcp.tools.support.change_requests import Surroundings

P = TypeVar("P", bound=Params)
R = TypeVar("R", bound=Result)


PREFIX = "telnyx_"


def full_name(typed: str) -> str:
    """The name of a tool as a person types it: `get-balance` for `telnyx_get_balance`."""
    name = typed.strip().lower().replace("-", "_")
    return name if name.startswith(PREFIX) else f"{PREFIX}{name}"


@dataclass(frozen=True, slots=True)
class Call(Generic[P]):
    """One call of a tool: its parameters, the services, and the MCP client that made it. `client` asks
    Telnyx, by the deadline of the call."""

    params: P
    services: Services
    context: RequestContext
    client: TelnyxClient
    progress: Progress

    def names(self) -> Names:
        """Names for ids, read for this call."""
        return Names(self.client, self.services.names)

    @property
    def surroundings(self) -> Surroundings:
        """What a request for a change works with."""
        return Surroundings(self.client, self.services.now, self.services.account)

    @property
    def day(self) -> date:
        """Today, in the user's zone."""
        return self.services.now().astimezone(self.services.zone).date()

    @property
    def today(self) -> str:
        """The same as text, for every result that resolves dates."""
        return self.day.isoformat()


@dataclass(frozen=True, slots=True)
class ToolSpec(Generic[P, R]):
    """A tool as its file describes it. `group` is what it is loaded with; `changes` marks one that needs
    approval."""

    name: str
    group: ToolGroup
    title: str
    description: str
    params: type[P]
    result: type[R]
    run: Callable[[Call[P]], Awaitable[R | CallToolResult | InputRequiredResult]]
    changes: bool = False
    destructive: bool = False
    idempotent: bool = True

    def annotations(self) -> ToolAnnotations:
        return ToolAnnotations(
            title=self.title,
            read_only_hint=not self.changes,
            destructive_hint=self.destructive,
            idempotent_hint=self.idempotent,
            open_world_hint=True,
        )

    @property
    def input_schema(self) -> dict[str, Any]:
        """The schema of its arguments, without that for the account."""
        return input_schema(self.params)

    def listed(self, accounts: AccountRegistry) -> Tool:
        """The tool as `tools/list` shows it, with an argument for the account if there are several."""
        parameters = self.input_schema
        if accounts.names and not self.changes:
            properties = parameters["properties"] | {ARGUMENT: account_argument(accounts.names)}
            parameters = parameters | {"properties": properties}
        return Tool(
            name=self.name,
            description=self.description,
            input_schema=parameters,
            output_schema=output_schema(self.result),
            annotations=self.annotations(),
        )

    async def call(
        self, accounts: AccountRegistry, arguments: dict[str, Any], context: RequestContext
    ) -> CallToolResult | InputRequiredResult:
        """What the tool answers to these arguments; every expected failure is an error result."""
        progress = Progress(context)
        try:
            meant = meant_arguments(self.params, arguments)
            services, rest = await accounts.chosen(meant, changes=self.changes)
            if self.changes and services.changes_blocked:
                return failed(f"Nothing was done. {services.changes_blocked} Tell the user.")
            params = parse(self.params, self.name, rest)
        except ToolFailure as error:
            return failed(str(error))
        seconds = MANY_SECONDS if params.reads_many else CALL_SECONDS
        client = TelnyxClient(services.transport, progress.waiting).within(seconds)
        try:
            result = await self.run(Call(params, services, context, client, progress))
        except ToolFailure as error:
            return failed(str(error))
        except TelnyxError as error:
            of = f" (Account {services.account}.)" if services.account else ""
            return failed(f"{error}{of}{' (Sandbox.)' if error.sandbox else ''}")
        if isinstance(result, Result):
            result.account = services.account
            result.note = " ".join(filter(None, (result.note, describe(client.odd_values)))) or None
            return answer(result, sandbox=client.sandbox)
        return result

"""`telnyx_get_balance`"""

from __future__ import annotations

from telnyx_mcp.tools.arguments import Params
from telnyx_mcp.tools.results import Result
from telnyx_mcp.tools.tool import Call, ToolSpec


class BalanceParams(Params):
    pass


class BalanceResult(Result):
    balance: str | None = None
    credit_limit: str | None = None
    available_credit: str | None = None
    pending: str | None = None
    currency: str | None = None


async def get_balance(call: Call[BalanceParams]) -> BalanceResult:
    balance = await call.client.get_balance()
    return BalanceResult(**balance.model_dump(exclude={"record_type"}))


GET_BALANCE = ToolSpec(
    name="telnyx_get_balance",
    title="Balance",
    description="The account's balance, credit limit, pending amount, and available credit "
    "(balance + credit limit).",
    params=BalanceParams,
    result=BalanceResult,
    run=get_balance,
)

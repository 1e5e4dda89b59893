"""The users of the organization, as `GET /organizations/users` lists them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from telnyx_mcp.sandbox.account import Account
from telnyx_mcp.sandbox.business import DOMAIN, User
from telnyx_mcp.sandbox.call import Call, Operation, one_of, page_of
from telnyx_mcp.sandbox.days import midnight, timestamp
from telnyx_mcp.sandbox.responses import Response

STATUSES = ("enabled", "disabled", "blocked")


def list_organization_users(account: Account, call: Call) -> Response:
    """250 a page unless asked otherwise. Users of Telnyx itself are not listed."""
    status = one_of(call, "filter[user_status]", STATUSES)
    email = (call.get("filter[email]") or "").lower()
    with_groups = one_of(call, "include_groups", ("true", "false")) == "true"
    users = [
        user if with_groups else {name: user[name] for name in user if name != "groups"}
        for user in _users(account)
        if status in {None, user["user_status"]} and email in user["email"]
    ]
    return page_of(call, users, default=250)


def _users(account: Account) -> list[dict[str, Any]]:
    business = account.business
    former = User(business.uuid("user:former"), f"tom.reyes@{DOMAIN}", "organization_member")
    people = (
        (business.owner, "Administrators", "enabled", 1),
        (business.operations, "Operations", "enabled", 2),
        (business.developer, "Engineering", "enabled", 9),
        (former, "Operations", "disabled", None),
    )
    begun = midnight(account.first_day)
    return [
        {
            "id": user.id,
            "record_type": "organization_owner"
            if user is business.owner
            else "organization_sub_user",
            "email": user.email,
            "user_status": status,
            "organization_user_bypasses_sso": user is business.owner,
            "created_at": timestamp(begun - timedelta(days=900 - 150 * place)),
            # Null for a user without a sign-in.
            "last_sign_in_at": None
            if days_ago is None
            else timestamp(midnight(account.today - timedelta(days=days_ago))),
            "groups": [{"id": business.uuid(f"group:{group}"), "name": group}],
        }
        for place, (user, group, status, days_ago) in enumerate(people)
    ]


OPERATIONS = (
    Operation("list_organization_users", "GET", "/organizations/users", list_organization_users),
)

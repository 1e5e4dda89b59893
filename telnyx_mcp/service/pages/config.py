"""`[sign_in]` of service.toml: how people sign in on the pages."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(min_length=1)]


class SignInConfig(BaseModel):
    """The OpenID Connect client of the pages. Its secret is TELNYX_MCP_SIGN_IN_SECRET."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    client_id: Name
    """The client that the issuer knows the pages as. Its redirect address is PUBLIC_URL/sign-in/callback."""
    scopes: tuple[Name, ...] = ("openid", "profile", "email")
    """What the sign-in asks for. Some issuers put groups behind a scope of their own."""
    subject_claim: Name = "sub"
    """The claim that says who a person is. It must have the same value here as that of `[issuer]` in access
    tokens: what somebody asked for and what they approve is compared by it. "oid" for Entra ID."""
    groups_claim: Name = "groups"
    """The claim that lists the groups that roles are given to."""
    name_claims: tuple[Name, ...] = ("name", "email", "preferred_username")
    """Where the name of a person is; the first one that is there is shown."""
    groups_from: Literal["userinfo", "id_token"] = "userinfo"
    """Where groups are. `userinfo` is asked at every decision; with `id_token`, for issuers whose userinfo
    has no groups, a decision needs a sign-in of the last five minutes."""

"""`[issuer]` of service.toml: whose access tokens the service accepts, and what it reads in them."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from telnyx_mcp.config.addresses import is_loopback

READ = "telnyx:read"
"""The scope that every request needs."""
PROPOSE = "telnyx:propose"
"""The scope that calls of changing tools need besides. Approving has no scope: people do it on the
page, after a sign-in of its own."""
SCOPES = (READ, PROPOSE)


def https_only(url: str) -> str:
    """The address as it is. Raises `ValueError` unless it is https, or http on loopback."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (
        parts.scheme == "http" and is_loopback(parts.hostname or "")
    ):
        raise ValueError("must begin with https:// (http:// is allowed on loopback only)")
    if not parts.hostname or parts.username is not None or parts.fragment:
        raise ValueError("must be an address with a host, and without a user or a fragment")
    return url


def _without_query(url: str) -> str:
    if "?" in url:
        raise ValueError("must not contain `?`")
    return url


Name = Annotated[str, Field(min_length=1)]


class IssuerConfig(BaseModel):
    """The issuer of the access tokens."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    url: Annotated[str, AfterValidator(https_only), AfterValidator(_without_query)]
    """The issuer, letter by letter as its tokens name it in `iss`: with a slash at its end or without."""
    audience: Name | None = None
    """What tokens for this service name in `aud`. None: the address of the service, ending in /mcp."""
    token_types: Annotated[tuple[str, ...], Field(min_length=1)] = ("at+jwt",)
    """The `typ` in the header of its access tokens; "" for tokens without one."""
    subject_claim: Name = "sub"
    """The claim that says who a person is. It must have the same value here and where people sign in to
    approve, or nobody can tell that a person approves their own proposal: "uid" for Okta, "oid" for
    Entra ID."""
    groups_claim: Name = "groups"
    """The claim that lists the groups that roles are given to."""
    name_claims: tuple[Name, ...] = ("name", "email", "preferred_username")
    """Where the name of a person is; the first one that is there is shown."""
    scope_prefix: str = ""
    """What the issuer wants before `telnyx:read` when it is asked for; its tokens hold the scope
    without it. "api://CLIENT-ID/" for Entra ID."""
    introspection_client_id: Name | None = None
    """The client that the service asks the issuer as, about tokens that are not JWTs (RFC 7662). Its
    secret is TELNYX_MCP_INTROSPECTION_SECRET. None: such tokens are refused."""
    ask_all_scopes: bool = False
    """Whether clients are asked to request both scopes at once, for those that can't ask for more later."""
    deny_subjects: tuple[Name, ...] = ()
    """People and programs (`sub`) whose tokens are refused though the issuer still gives them some."""

"""The configuration of the service: `service.toml`. It holds no secrets, which come from the environment
(`secrets_of.py`), and none of the account's settings, which are the same as elsewhere."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, NamedTuple
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from telnyx_mcp.approval.team.roles import Amount, Role, Roles
from telnyx_mcp.service.config_errors import ConfigError, problems_in
from telnyx_mcp.service.notices.config import NoticesConfig
from telnyx_mcp.service.pages.config import SignInConfig
from telnyx_mcp.service.tokens.config import IssuerConfig, https_only

OVERRIDES: Mapping[str, str] = {
    "TELNYX_MCP_PUBLIC_URL": "public_url",
    "TELNYX_MCP_SERVICE_LISTEN": "listen",
    "TELNYX_MCP_SERVICE_METRICS_LISTEN": "metrics_listen",
}
"""Variables that win over a key of the file: what may differ between replicas of one configuration."""
LARGEST_FILE = 1024 * 1024
_USUAL_PORTS: Mapping[str, str] = {"https": ":443", "http": ":80"}
_UNITS: Mapping[str, timedelta] = {
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}


class Address(NamedTuple):
    """Where a port is opened."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


def _address(value: object) -> Address | None:
    if value is None:  # metrics only; `listen` does not take it
        return None
    host, _, port = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    if not host or not (port.isascii() and port.isdigit()) or not 0 < int(port) < 65536:
        raise ValueError("must be HOST:PORT, such as 0.0.0.0:8080")
    return Address(host.strip("[]"), int(port))


def _lifetime(value: object) -> timedelta:
    found = re.fullmatch(r"([1-9][0-9]{0,3})([mhd])", value) if isinstance(value, str) else None
    lifetime = int(found[1]) * _UNITS[found[2]] if found else timedelta()
    if not timedelta(minutes=10) <= lifetime <= timedelta(days=7):
        raise ValueError('must be a time from "10m" to "7d", such as "24h"')
    return lifetime


def _origin(url: str) -> str:
    """The address as browsers write it in `Host` and `Origin`: in small letters, without the usual port."""
    parts = urlsplit(https_only(url))
    if parts.path not in {"", "/"} or parts.query:
        raise ValueError("must be an address without a path; MCP is at /mcp there")
    host = parts.netloc.lower().removesuffix(_USUAL_PORTS[parts.scheme])
    return f"{parts.scheme}://{host}"


class _Table(BaseModel):
    # An error names a key without its value: somebody may have put a secret there.
    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, hide_input_in_errors=True
    )


class ApprovalConfig(_Table):
    """`[approval]`: what holds for every change."""

    two_approvers_above: Amount | None = None
    """Payments above this amount need the approval of two people. Left out: one is always enough."""
    proposal_lifetime: Annotated[timedelta, BeforeValidator(_lifetime)] = timedelta(hours=24)
    """How long a change waits for its approval, from "10m" to "7d". The default is "24h"."""


class ServiceConfig(_Table):
    """The whole file. Keys at its top stand before the first table."""

    public_url: Annotated[str, AfterValidator(_origin)]
    """The address that clients and people use, such as https://telnyx.example.com: tokens are issued for
    it, and requests for other hosts or from other origins are refused. TELNYX_MCP_PUBLIC_URL wins."""
    listen: Annotated[Address, BeforeValidator(_address)] = Address("0.0.0.0", 8080)  # noqa: S104
    """Where MCP, the pages, /livez and /readyz are served, without TLS: that is the proxy's."""
    metrics_listen: Annotated[Address, BeforeValidator(_address)] | None = Address(
        "127.0.0.1", 9464
    )
    """Where /metrics is served: a second port, which the proxy does not forward. "": nowhere."""
    drain_seconds: Annotated[float, Field(ge=0, le=20)] = 5.0
    """How long a replica that is asked to stop goes on accepting requests, with /readyz at 503, so that
    the proxy notices before connections are refused."""
    issuer: IssuerConfig
    sign_in: SignInConfig
    approval: ApprovalConfig = ApprovalConfig()
    roles: Mapping[str, Role]
    notices: NoticesConfig = NoticesConfig()

    @property
    def resource(self) -> str:
        """What tokens are issued for (RFC 8707): the address of MCP."""
        return f"{self.public_url}/mcp"

    @property
    def audience(self) -> str:
        """What tokens name in `aud`."""
        return self.issuer.audience or self.resource

    @property
    def allowed_hosts(self) -> list[str]:
        """The values of `Host` that are answered."""
        return [urlsplit(self.public_url).netloc]

    @property
    def allowed_origins(self) -> list[str]:
        """The values of `Origin` that are answered."""
        return [self.public_url]

    @property
    def team(self) -> Roles:
        """The roles, and the amount above which two people approve."""
        return Roles(roles=self.roles, two_approvers_above=self.approval.two_approvers_above)


def read_config(path: Path, environment: Mapping[str, str]) -> ServiceConfig:
    """The configuration in this file. Raises `ConfigError` with everything that is wrong in it."""
    return config_of(_tables(path), str(path), environment)


def config_of(
    tables: Mapping[str, Any], file: str, environment: Mapping[str, str]
) -> ServiceConfig:
    """The configuration of these tables. Raises `ConfigError`."""
    given = dict(tables)
    for variable, key in OVERRIDES.items():
        if value := environment.get(variable):
            given[key] = value
    if given.get("metrics_listen") == "":
        given["metrics_listen"] = None
    try:
        config = ServiceConfig.model_validate(given)
    except ValidationError as error:
        raise ConfigError(problems_in(error, ServiceConfig, file)) from None
    if problems := _contradictions(config):
        raise ConfigError([f"{file}: {each}" for each in problems])
    return config


def _contradictions(config: ServiceConfig) -> list[str]:
    """What can't be meant, though each value alone could be."""
    found = [
        f"[roles.{name}] names no groups and no people, so that nobody has the role. Set groups or people"
        for name, role in config.roles.items()
        if not role.groups and not role.people
    ]
    found += [
        f"[roles.{name}] sets {key}, which needs propose = true"
        for name, role in config.roles.items()
        for key in ("max_payment", "max_per_day", "self_approve_up_to")
        if not role.propose and key in role.model_fields_set
    ]
    proposes = any(role.propose for role in config.roles.values())
    approves = any(role.approve_up_to > 0 for role in config.roles.values())
    if (
        proposes
        and not approves
        and not any(r.self_approve_up_to > 0 for r in config.roles.values())
    ):
        found.append(
            "[roles] lets people propose changes, and nobody may approve one. Set approve_up_to in a role"
        )
    most = max((role.approve_up_to for role in config.roles.values()), default=Decimal(0))
    above = config.approval.two_approvers_above
    if above is not None and above >= most > 0:
        found.append(
            f"[approval] two_approvers_above is {above}, and no role may approve more than {most}, so "
            "that two approvers are never needed. Lower it, or leave it out"
        )
    if config.metrics_listen == config.listen:
        found.append("metrics_listen is the port of listen. Choose another one")
    return found


def _tables(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise ConfigError(
            [f"{path} can't be read ({error.strerror}). Name it with --config"]
        ) from None
    if len(raw) > LARGEST_FILE:
        raise ConfigError([f"{path} is too large for a configuration"])
    try:
        return tomllib.loads(raw.decode("utf-8-sig"))
    except UnicodeError:
        raise ConfigError([f"{path} is not UTF-8 text"]) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"{path} is not TOML: {error}"]) from None

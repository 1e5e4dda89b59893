"""`service.toml`, and the secrets from the environment."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, NamedTuple, get_args, get_origin
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr
from pydantic import ValidationError

from telnyx_mcp.approval.team.roles import Amount, Role, Roles
from telnyx_mcp.service.notices.config import NoticesConfig
from telnyx_mcp.service.pages.config import SignInConfig
from telnyx_mcp.service.tokens.config import IssuerConfig, https_only

PUBLIC_URL = "TELNYX_MCP_PUBLIC_URL"
LISTEN = "TELNYX_MCP_SERVICE_LISTEN"
METRICS_LISTEN = "TELNYX_MCP_SERVICE_METRICS_LISTEN"
OVERRIDES: Mapping[str, str] = {
    PUBLIC_URL: "public_url",
    LISTEN: "listen",
    METRICS_LISTEN: "metrics_listen",
}
"""Variables that win over a key of the file, as replicas of one file may differ in them."""
SECRETS: Mapping[str, str] = {
    "TELNYX_MCP_SERVICE_SECRET": "service",
    "TELNYX_MCP_SIGN_IN_SECRET": "sign_in",
    "TELNYX_MCP_INTROSPECTION_SECRET": "introspection",
    "TELNYX_MCP_NOTICE_URL": "notice_url",
    "TELNYX_MCP_NOTICE_SECRET": "notice",
}
"""The variables of the secrets. Each may end in _FILE and name a file that holds the secret instead."""
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_LONGEST_WAIT = timedelta(days=7)
_SECRET_FILE_BYTES = 65_536


class ConfigError(Exception):
    """The service can't be started as it is set up. Its text names everything that is wrong."""


class Address(NamedTuple):
    """Where to listen."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _address(value: object) -> object:
    if not isinstance(value, str):
        return value
    host, _, port = value.rpartition(":")
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ValueError('must be "HOST:PORT", such as "0.0.0.0:8080"')
    return Address(host.strip("[]") or "0.0.0.0", int(port))  # noqa: S104 - what ":8080" means


def _span(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError('must be a number with a unit, such as "30m", "24h" or "7d"')
    number, unit = value[:-1], value[-1:]
    if unit not in _UNITS or not (number.isascii() and number.isdigit()):
        raise ValueError('must be a number with a unit, such as "30m", "24h" or "7d"')
    span = timedelta(**{_UNITS[unit]: int(number[:6])})
    if not timedelta(minutes=1) <= span <= _LONGEST_WAIT:
        raise ValueError("must be from 1m to 7d")
    return span


def _root(url: str) -> str:
    parts = urlsplit(url)
    if parts.path.strip("/") or parts.query:
        raise ValueError("must be an address without a path, such as https://telnyx.example.com")
    return f"{parts.scheme}://{parts.netloc}".lower()


ListenAddress = Annotated[Address, BeforeValidator(_address)]
Span = Annotated[timedelta, BeforeValidator(_span)]


class ApprovalConfig(BaseModel):
    """`[approval]`: how changes are approved."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    two_approvers_above: Amount | None = None
    """Payments above it need the approval of two people. None: one approver is always enough."""
    proposal_lifetime: Span = timedelta(hours=24)
    """How long a proposal waits for its answer: "30m", "24h", "7d"."""


class ServiceConfig(BaseModel):
    """Everything in `service.toml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    public_url: Annotated[str, AfterValidator(https_only), AfterValidator(_root)]
    """The address that people and clients use, as the proxy in front of the service publishes it."""
    listen: ListenAddress = Address("0.0.0.0", 8080)  # noqa: S104 - a proxy is in front of it
    """Where this process listens."""
    metrics_listen: ListenAddress | None = Address("127.0.0.1", 9464)
    """Where /metrics is; "" for nowhere."""
    drain_seconds: Annotated[float, Field(ge=0, le=60)] = 5.0
    """How long a replica that is stopped goes on to accept requests, while /readyz says that it leaves."""
    issuer: IssuerConfig
    sign_in: SignInConfig
    approval: ApprovalConfig = ApprovalConfig()
    roles: Mapping[str, Role] = Field(default_factory=dict)
    notices: NoticesConfig = NoticesConfig()

    @property
    def resource(self) -> str:
        """The address of the MCP endpoint, which access tokens are for."""
        return f"{self.public_url}/mcp"

    @property
    def team_roles(self) -> Roles:
        """The roles, with the amount above which two people approve."""
        return Roles(roles=self.roles, two_approvers_above=self.approval.two_approvers_above)


def read_config(file: Path, environment: Mapping[str, str] | None = None) -> ServiceConfig:
    """The configuration in this file, with what the environment overrides. Raises `ConfigError`."""
    environment = os.environ if environment is None else environment
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{file} can't be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{file} is not UTF-8.") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file} is not TOML: {error}.") from None
    for variable, key in OVERRIDES.items():
        if value := environment.get(variable):
            content[key] = value
    if content.get("metrics_listen") == "":
        content["metrics_listen"] = None
    try:
        return ServiceConfig.model_validate(content)
    except ValidationError as error:
        problems = "".join(f"\n  {each}" for each in _problems(error))
        raise ConfigError(f"{file} can't be used:{problems}") from None


def _problems(error: ValidationError) -> Iterator[str]:
    """Each mistake with its place: `roles.finance.max_payment: must be written in quotes`."""
    for each in error.errors(include_url=False, include_input=False):
        place = [str(part) for part in each["loc"]]
        name = ".".join(place)
        if each["type"] == "extra_forbidden":
            known = sorted(_keys(ServiceConfig, place[:-1]))
            near = get_close_matches(place[-1], known, 1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}."
            yield f"{name}: there is no such key; {hint}"
        elif each["type"] == "missing":
            yield f"{name}: is missing."
        else:
            yield f"{name}: {each['msg'].removeprefix('Value error, ')}."


def _keys(model: type[BaseModel], place: list[str]) -> set[str]:
    """The keys of the table at this place."""
    for name in place:
        field = model.model_fields.get(name)
        if field is None:  # the name of a role, in the table of all roles
            continue
        inner = [field.annotation, *get_args(field.annotation)]
        tables = [each for each in inner if isinstance(each, type) and get_origin(each) is None]
        model = next((each for each in tables if issubclass(each, BaseModel)), model)
    return set(model.model_fields)


@dataclass(frozen=True, slots=True)
class Secrets:
    """What the service has to know and nobody else."""

    service: str | None = field(default=None, repr=False)
    sign_in: SecretStr | None = None
    introspection: SecretStr | None = None
    notice_url: SecretStr | None = None
    notice: SecretStr | None = None


def read_secrets(environment: Mapping[str, str] | None = None) -> Secrets:
    """The secrets of the environment, and of the files that it names. Raises `ConfigError`."""
    environment = os.environ if environment is None else environment
    found: dict[str, Any] = {}
    for variable, name in SECRETS.items():
        value, file = environment.get(variable), environment.get(f"{variable}_FILE")
        if value and file:
            raise ConfigError(f"{variable} and {variable}_FILE are both set. Drop one of them.")
        if file:
            value = _content(Path(file), f"{variable}_FILE")
        if value:
            found[name] = value if name == "service" else SecretStr(value)
    return Secrets(**found)


def _content(file: Path, variable: str) -> str:
    try:
        with file.open("rb") as opened:
            content = opened.read(_SECRET_FILE_BYTES).decode("utf-8").strip()
    except OSError as error:
        raise ConfigError(f"{variable}: {file} can't be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{variable}: {file} is not UTF-8.") from None
    if not content:
        raise ConfigError(f"{variable}: {file} is empty.")
    return content

"""The issuer: where its keys are, and the keys, kept while it can't be reached."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import anyio
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import ECKey, OKPKey, RSAKey, import_key

from telnyx_mcp.service.tokens.config import IssuerConfig
from telnyx_mcp.service.tokens.fetching import FetchFailed, IssuerHttp, Unreachable

Key = RSAKey | ECKey | OKPKey

FRESH_SECONDS = 600.0
"""How long keys are used before they are fetched again. Older ones are used while the issuer is down."""
FETCH_SECONDS = 30.0
"""The least time between two fetches where keys are there, whatever keys tokens name."""
RETRY_SECONDS = 5.0
"""The least time between two fetches where none are there yet."""
MOST_KEYS = 100
_SMALLEST_RSA = 2048

_logger = logging.getLogger(__name__)


class IssuerUnavailable(Exception):
    """The issuer can't be reached, and without it nobody can tell whether the token is good."""

    def __init__(self, retry_after: float) -> None:
        super().__init__("the identity provider can't be reached at the moment")
        self.retry_after = max(1, round(retry_after))
        """Seconds after which to try again."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What the issuer published, and when it was read (`clock`)."""

    keys: tuple[Key, ...]
    introspection_url: str | None
    at: float


class Issuer:
    """The keys of the issuer, read when they are first needed. `clock` counts seconds."""

    def __init__(
        self,
        config: IssuerConfig,
        clock: Callable[[], float] = time.monotonic,
        http: IssuerHttp | None = None,
    ) -> None:
        self.http = http or IssuerHttp()
        self._url = config.url
        self._subject_claim = config.subject_claim
        self._clock = clock
        self._known: _Known | None = None
        self._tried_at = float("-inf")
        self._failed = False
        self._fetching = anyio.Lock()

    async def keys(self, kid: str | None) -> Sequence[Key]:
        """The keys with this id; all of them for None. Empty if the issuer has no such key.

        Raises `IssuerUnavailable` if that can't be known.
        """
        known = await self._published()
        if not (found := _with_id(known, kid)):
            known = await self._refreshed()
            found = _with_id(known, kid)
        if not found and self._failed:
            raise IssuerUnavailable(self._wait())
        return found

    async def introspection_url(self) -> str:
        """Where to ask about tokens. Raises `IssuerUnavailable`, also if the issuer publishes no place."""
        known = await self._published()
        if known.introspection_url is None:
            _logger.error("the issuer publishes no introspection_endpoint")
            raise IssuerUnavailable(FETCH_SECONDS)
        return known.introspection_url

    async def is_ready(self) -> bool:
        """Whether tokens can be judged: the keys are known, though the issuer may be down now."""
        try:
            return bool((await self._published()).keys)
        except IssuerUnavailable:
            return False

    async def aclose(self) -> None:
        await self.http.aclose()

    async def _published(self) -> _Known:
        known = self._known
        if known is None:
            return await self._refreshed()
        is_fresh = self._clock() - known.at < FRESH_SECONDS
        # One request waits for fresh keys; the others go on with those that are there.
        return known if is_fresh or self._fetching.locked() else await self._refreshed()

    async def _refreshed(self) -> _Known:
        """What the issuer publishes now, or published last if it was asked a short time ago or does not
        answer. A flood of requests waits for one answer."""
        async with self._fetching:
            if self._wait() <= 0:
                self._tried_at = self._clock()
                # A client that hangs up must not take the answer from those who wait for it.
                with anyio.CancelScope(shield=True):
                    await self._fetch()
            if self._known is None:
                raise IssuerUnavailable(self._wait())
            return self._known

    def _wait(self) -> float:
        """Seconds until the issuer may be asked again."""
        pause = FETCH_SECONDS if self._known else RETRY_SECONDS
        return self._tried_at + pause - self._clock()

    async def _fetch(self) -> None:
        try:
            metadata = await self._discover()
            published = await self.http.get(_address(metadata, "jwks_uri"))
            if not (keys := tuple(usable_keys(published))):
                raise FetchFailed("the issuer publishes no key that can be used")
            where = "introspection_endpoint"
            introspection = _address(metadata, where) if where in metadata else None
        except FetchFailed as error:
            self._failed = True
            kept = "; its last keys stay in use" if self._known else ""
            _logger.warning("the keys of the issuer can't be read: %s%s", error, kept)
            return
        if self._known is None and self._is_pairwise(metadata):
            _logger.warning(
                "the issuer gives each client another sub for the same person: name a claim in "
                "[issuer] subject_claim that is the same for all, such as oid"
            )
        self._known, self._failed = _Known(keys, introspection, self._clock()), False

    def _is_pairwise(self, metadata: dict[str, Any]) -> bool:
        """Whether a person's `sub` differs between the assistant and the page, so that nobody would
        notice that they approve their own proposal."""
        kinds = metadata.get("subject_types_supported")
        is_known = isinstance(kinds, list) and "public" not in kinds
        return self._subject_claim == "sub" and is_known

    async def _discover(self) -> dict[str, Any]:
        """The issuer's metadata, from the first well-known place that has it. Raises `FetchFailed`."""
        reasons = []
        for place in well_known_places(self._url):
            try:
                metadata = await self.http.get(place)
            except Unreachable:
                raise
            except FetchFailed as error:
                reasons.append(str(error))
                continue
            if metadata.get("issuer") == self._url:
                return metadata
            reasons.append(f"{place} is of another issuer than {self._url}")
        raise FetchFailed("; ".join(reasons))


def well_known_places(issuer: str) -> list[str]:
    """Where an issuer may publish its metadata: by RFC 8414, by OpenID Connect, and by both at once."""
    parts = urlsplit(issuer)
    origin, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    places = (
        f"{origin}/.well-known/oauth-authorization-server{path}",
        f"{origin}{path}/.well-known/openid-configuration",
        f"{origin}/.well-known/openid-configuration{path}",
    )
    return list(dict.fromkeys(places))  # without a path the last two are the same


def _address(metadata: dict[str, Any], name: str) -> str:
    if not isinstance(url := metadata.get(name), str):
        raise FetchFailed(f"the issuer publishes no {name}")
    return url


def _with_id(known: _Known, kid: str | None) -> Sequence[Key]:
    return known.keys if kid is None else [each for each in known.keys if each.get("kid") == kid]


def usable_keys(published: dict[str, Any]) -> Iterator[Key]:
    """The public keys for signatures. Those of other kinds are left out."""
    listed = published.get("keys")
    for each in listed[:MOST_KEYS] if isinstance(listed, list) else ():
        if not isinstance(each, dict) or each.get("use", "sig") != "sig":
            continue
        try:
            key = import_key(each)
        except (JoseError, ValueError, TypeError, KeyError, SecurityWarning):
            continue
        if isinstance(key, RSAKey) and key.public_key.key_size < _SMALLEST_RSA:
            continue
        if isinstance(key, Key):
            yield key

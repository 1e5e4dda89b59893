"""Where the keys come from, how often the issuer is asked, and what happens while it is down."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from joserfc.jwk import RSAKey, generate_key

from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.service.tokens import issuer as issuers
from telnyx_mcp.service.tokens.config import IssuerConfig
from telnyx_mcp.service.tokens.issuer import FETCH_SECONDS, FRESH_SECONDS, RETRY_SECONDS
from tests.service.conftest import Service, running_service
from tests.service.issuer import EC, OTHER_RSA, RSA, Fault, Issuer

FAULTS: tuple[Fault, ...] = ("closes", "redirects", "garbage", "too large", "500")


async def status(service: Service, issuer: Issuer, **token: Any) -> int:
    return (await service.list_tools(issuer.token(service.url, **token))).status_code


async def test_the_keys_are_fetched_once_for_many_requests(
    service: Service, issuer: Issuer
) -> None:
    for _ in range(5):
        assert await status(service, issuer) == 200
    assert issuer.asked["/jwks"] == 1


async def test_a_first_flood_fetches_the_keys_once(service: Service, issuer: Issuer) -> None:
    async with anyio.create_task_group() as flood:
        for _ in range(30):
            flood.start_soon(status, service, issuer)
    assert issuer.asked["/jwks"] == 1


async def test_a_new_key_is_fetched_when_a_token_names_it(service: Service, issuer: Issuer) -> None:
    assert await status(service, issuer) == 200
    issuer.keys = [OTHER_RSA]
    service.clocks.ahead += FETCH_SECONDS
    assert await status(service, issuer, key=OTHER_RSA) == 200
    assert await status(service, issuer) == 401, "the old key was withdrawn"


@pytest.mark.attack(
    "A flood of tokens that name unknown keys",
    "The issuer is asked once in 30 seconds",
)
async def test_a_withdrawn_key_is_forgotten_after_ten_minutes(
    service: Service, issuer: Issuer
) -> None:
    assert await status(service, issuer) == 200
    issuer.keys = [EC]
    assert await status(service, issuer) == 200
    service.clocks.ahead += FRESH_SECONDS
    assert await status(service, issuer) == 401


async def test_a_flood_of_unknown_keys_is_one_fetch_in_30_seconds(
    service: Service, issuer: Issuer
) -> None:
    assert await status(service, issuer) == 200
    service.clocks.ahead += FETCH_SECONDS

    async def unknown(number: int) -> None:
        assert await status(service, issuer, header={"kid": f"unknown-{number}"}) == 401

    async with anyio.create_task_group() as flood:
        for number in range(30):
            flood.start_soon(unknown, number)
    assert issuer.asked["/jwks"] == 2
    service.clocks.ahead += FETCH_SECONDS / 2
    await unknown(31)
    assert issuer.asked["/jwks"] == 2
    service.clocks.ahead += FETCH_SECONDS / 2
    await unknown(32)
    assert issuer.asked["/jwks"] == 3


@pytest.mark.parametrize("fault", FAULTS)
async def test_while_the_issuer_is_down_the_last_keys_stay_in_use(
    service: Service, issuer: Issuer, fault: Fault
) -> None:
    assert await status(service, issuer) == 200
    issuer.fault = fault
    for _ in range(4):
        service.clocks.ahead += 24 * 3600
        assert await status(service, issuer) == 200
    assert await service.tokens.issuer.is_ready()


@pytest.mark.parametrize("fault", FAULTS)
async def test_without_keys_a_token_can_t_be_judged_and_the_client_is_to_try_again(
    service: Service, issuer: Issuer, fault: Fault
) -> None:
    issuer.fault = fault
    answer = await service.list_tools(issuer.token(service.url))
    assert answer.status_code == 503
    assert 1 <= int(answer.headers["retry-after"]) <= RETRY_SECONDS
    assert "www-authenticate" not in answer.headers
    assert not await service.tokens.issuer.is_ready()
    asked = issuer.asked.total()
    assert await status(service, issuer) == 503
    assert issuer.asked.total() == asked, "it rests a while after a failure"
    issuer.fault = None
    service.clocks.ahead += RETRY_SECONDS
    assert await status(service, issuer) == 200


async def test_a_new_key_can_t_be_judged_while_the_issuer_is_down(
    service: Service, issuer: Issuer
) -> None:
    assert await status(service, issuer) == 200
    issuer.fault = "closes"
    service.clocks.ahead += FETCH_SECONDS
    assert await status(service, issuer, key=OTHER_RSA) == 503
    assert await status(service, issuer) == 200


async def test_no_answer_is_waited_for_longer_than_a_bounded_time(
    server: AccountServer, issuer: Issuer
) -> None:
    issuer.fault = "hangs"
    async with running_service(server, issuer.url, seconds=0.05) as service:
        assert await status(service, issuer) == 503


async def test_while_one_request_waits_for_fresh_keys_the_others_go_on(
    service: Service, issuer: Issuer
) -> None:
    assert await status(service, issuer) == 200
    issuer.fault = "hangs"
    service.clocks.ahead += FRESH_SECONDS
    async with anyio.create_task_group() as waiting:
        waiting.start_soon(status, service, issuer)
        with anyio.fail_after(10):
            while issuer.asked.total() < 4:
                await anyio.sleep(0.001)
            assert await status(service, issuer) == 200
        issuer.held.set()


async def test_a_client_that_hangs_up_takes_the_keys_from_nobody(issuer: Issuer) -> None:
    asked = issuers.Issuer(IssuerConfig(url=issuer.url))
    issuer.fault = "hangs"
    found: list[int] = []

    async def second() -> None:
        found.append(len(await asked.keys("rsa")))

    async with anyio.create_task_group() as waiting, anyio.create_task_group() as first:
        first.start_soon(asked.keys, "rsa")
        with anyio.fail_after(10):
            while not issuer.asked:
                await anyio.sleep(0.001)
        waiting.start_soon(second)
        first.cancel_scope.cancel()
        issuer.held.set()
    assert found == [1]
    await asked.aclose()


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("", "/.well-known/oauth-authorization-server"),
        ("", "/.well-known/openid-configuration"),
        ("/realms/a", "/.well-known/oauth-authorization-server/realms/a"),
        ("/realms/a", "/realms/a/.well-known/openid-configuration"),
        ("/realms/a", "/.well-known/openid-configuration/realms/a"),
        ("/slash/", "/slash/.well-known/openid-configuration"),
    ],
)
async def test_the_metadata_is_found_at_each_well_known_place(
    issuer: Issuer, path: str, place: str
) -> None:
    issuer.named, issuer.metadata_at = issuer.url + path, place
    asked = issuers.Issuer(IssuerConfig(url=issuer.url + path))
    assert len(await asked.keys(None)) == 3
    assert await asked.introspection_url() == f"{issuer.url}/introspect"
    await asked.aclose()


async def test_metadata_of_another_issuer_is_not_used(service: Service, issuer: Issuer) -> None:
    issuer.named = f"{issuer.url}/"
    assert await status(service, issuer) == 503
    assert issuer.asked["/jwks"] == 0


@pytest.mark.attack(
    "The issuer's metadata names keys at an address without https",
    "They are not fetched",
)
@pytest.mark.parametrize("address", ["http://198.51.100.1/jwks", "file:///etc/passwd", "", 7, None])
async def test_keys_at_an_address_without_https_are_not_fetched(
    service: Service, issuer: Issuer, address: object
) -> None:
    issuer.extra_metadata = {"jwks_uri": address}
    assert await status(service, issuer) == 503


async def test_keys_that_can_t_be_used_are_left_out(issuer: Issuer) -> None:
    asked = issuers.Issuer(IssuerConfig(url=issuer.url))
    issuer.keys = [
        generate_key("oct", 256, {"kid": "secret"}),  # type: ignore[list-item]
        generate_key("RSA", 2048, {"kid": "for encryption", "use": "enc"}),
        generate_key("EC", "P-256", {"kid": "good"}),
    ]
    assert [each.kid for each in await asked.keys(None)] == ["good"]
    await asked.aclose()


async def test_a_key_is_used_for_its_own_algorithm_only(service: Service, issuer: Issuer) -> None:
    issuer.keys = [RSAKey.import_key(RSA.as_dict(private=False), {"kid": "rsa", "alg": "RS256"})]
    assert await status(service, issuer) == 200
    assert await status(service, issuer, header={"alg": "PS256"}) == 401


@pytest.mark.parametrize(
    "url",
    [
        "http://idp.example",
        "ftp://idp.example",
        "idp.example",
        "https://user@idp.example",
        "https://idp.example/#x",
        "https://idp.example/?x",
        "https://",
        "",
    ],
)
def test_an_issuer_without_https_is_not_accepted(url: str) -> None:
    with pytest.raises(ValueError, match="must"):
        IssuerConfig(url=url)

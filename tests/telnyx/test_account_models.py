"""No secret of an answer survives in a model, wherever it lies."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pytest

from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.telnyx import account_models
from telnyx_mcp.telnyx.account_models import AccountModel
from telnyx_mcp.telnyx.client import TelnyxClient
from telnyx_mcp.untrusted.names import secret_word
from tests.support.scripted_telnyx import Scripted

MODELS = [
    each
    for each in vars(account_models).values()
    if isinstance(each, type) and issubclass(each, AccountModel) and each is not AccountModel
]
VALUE = "4711-hush"
NAMES = [
    "external_pin",
    "v1_secret",
    "api_key",
    "api_token",
    "externalPin",
    "API-Key",
    "sip_password",
    "webhook_signing_secret",
]


def everywhere(secret: dict[str, Any]) -> list[dict[str, Any]]:
    """The secret at the top, in unknown fields, in lists and deep below."""
    return [
        {**secret},
        {"x_new": {**secret, "kept": 1}},
        {"x_new": [[{"deep": [{**secret, "kept": 1}]}]]},
        {"groups": [{"id": "1", **secret}], "children": [{"children": [{"record": secret}]}]},
    ]


def shown(model: AccountModel) -> str:
    """All that a model can be made to show."""
    return "".join(
        (
            repr(model),
            str(model),
            repr(model.model_dump()),
            model.model_dump_json(),
            repr(vars(model)),
            repr(list(model)),
            repr(model.model_extra),
            repr(model.model_copy(deep=True)),
            repr(copy.copy(model).model_dump(by_alias=True)),
            repr(pickle.dumps(model)),
        )
    )


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", NAMES)
def test_a_secret_is_dropped_wherever_it_lies(model: type[AccountModel], name: str) -> None:
    for value in (VALUE, [VALUE], {"value": VALUE}):
        for data in everywhere({name: value}):
            before = copy.deepcopy(data)
            text = shown(model.model_validate(data))
            assert VALUE not in text
            assert name not in text
            assert data == before
    assert VALUE not in shown(model.model_validate_json(json.dumps({"a": {name: VALUE}})))


@pytest.mark.parametrize("model", MODELS)
def test_no_field_that_a_model_has_is_taken_for_a_secret(model: type[AccountModel]) -> None:
    assert [name for name in model.model_fields if secret_word(name)] == []


async def test_no_secret_of_the_account_leaves_the_client(
    server: AccountServer, sandbox: Sandbox
) -> None:
    import httpx

    client = TelnyxClient((await server.accounts.main.services()).transport)
    headers = {"authorization": f"Bearer {sandbox.key}"}
    async with httpx.AsyncClient(verify=False, headers=headers, trust_env=False) as plain:
        for path, name, page in (
            ("/phone_numbers", "external_pin", await client.list_phone_numbers(detailed=True)),
            ("/phone_numbers/slim", "external_pin", await client.list_phone_numbers()),
            ("/messaging_profiles", "v1_secret", await client.list_messaging_profiles()),
        ):
            answer = await plain.get(f"{sandbox.base_url}{path}?page[size]=250")
            secrets = [row[name] for row in answer.json()["data"] if row.get(name)]
            assert secrets
            text = page.model_dump_json() + repr(page) + "".join(map(shown, page.items))
            assert not any(f'"{secret}"' in text or f"'{secret}'" in text for secret in secrets)
            assert name not in text


async def test_an_odd_value_reveals_no_secret(scripted: Scripted, client: TelnyxClient) -> None:
    scripted.will_answer({"data": [{"id": {"api_key": VALUE}, "external_pin": VALUE}]})
    page = await client.list_phone_numbers()
    assert VALUE not in page.model_dump_json() + repr(client.odd_values)

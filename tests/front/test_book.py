"""The book against the server that it speaks for, in every variant."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path

import pytest
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS

from scripts.generate.book import SHOWS_PAGES, asked
from telnyx_mcp.config.settings import Settings
from telnyx_mcp.config.tool_groups import TOOL_GROUPS, ToolGroup
from telnyx_mcp.front.book import FILE, LISTS, Book, is_installed, open_book
from telnyx_mcp.front.variant import Variant
from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.server.build import build_server

SUBSETS: list[tuple[ToolGroup, ...]] = [
    chosen for size in range(1, len(TOOL_GROUPS) + 1) for chosen in combinations(TOOL_GROUPS, size)
]


def server_of(variant: Variant) -> AccountServer:
    settings = Settings().model_copy(
        update={"tools": variant.groups, "read_only": variant.read_only}
    )
    main, *others = variant.accounts or (None,)
    accounts = {str(each): settings.model_copy(update={"profile": each}) for each in others}
    return build_server(settings.model_copy(update={"profile": main}), others=accounts)


def book_of(variant: Variant) -> Book:
    book = open_book(variant)
    assert book
    return book


async def check_handshake(variant: Variant, version: str) -> None:
    book = book_of(variant)
    for pages in (False, True):
        results = await asked(
            server_of(variant),
            *("ping", *LISTS),
            version=version,
            modern=False,
            capabilities=SHOWS_PAGES if pages else None,
        )
        assert book.initialized(version, pages=pages) == results.pop("initialize")
        found = {each: book.result(each, modern=False, pages=pages) for each in results}
        assert found == results


async def check_modern(variant: Variant, version: str) -> None:
    book = book_of(variant)
    for pages in (False, True):
        results = await asked(
            server_of(variant),
            *("server/discover", *LISTS),
            version=version,
            modern=True,
            capabilities=SHOWS_PAGES if pages else None,
        )
        found = {each: book.result(each, modern=True, pages=pages) for each in results}
        assert found == results


@pytest.mark.parametrize("version", HANDSHAKE_PROTOCOL_VERSIONS)
async def test_it_answers_as_the_server_in_every_version_with_a_handshake(version: str) -> None:
    await check_handshake(Variant(TOOL_GROUPS, read_only=False, accounts=()), version)


@pytest.mark.parametrize("version", MODERN_PROTOCOL_VERSIONS)
async def test_it_answers_as_the_server_in_every_version_without_one(version: str) -> None:
    await check_modern(Variant(TOOL_GROUPS, read_only=False, accounts=()), version)


@pytest.mark.parametrize("accounts", [(), ("main", "eu", "us-2")], ids=["one", "three"])
@pytest.mark.parametrize("read_only", [False, True], ids=["changing", "read-only"])
@pytest.mark.parametrize("groups", SUBSETS[:: len(SUBSETS) // 8], ids="+".join)
async def test_it_answers_as_the_server_for_each_choice_of_tools_and_accounts(
    groups: tuple[ToolGroup, ...], read_only: bool, accounts: tuple[str, ...]
) -> None:
    await check_handshake(Variant(groups, read_only, accounts), HANDSHAKE_PROTOCOL_VERSIONS[-1])


@pytest.mark.slow
async def test_it_answers_as_the_server_for_every_choice_in_both_revisions() -> None:
    for groups in SUBSETS:
        for read_only in (False, True):
            for accounts in ((), ("main", "eu")):
                variant = Variant(groups, read_only, accounts)
                await check_handshake(variant, HANDSHAKE_PROTOCOL_VERSIONS[-1])
                await check_modern(variant, MODERN_PROTOCOL_VERSIONS[-1])


@pytest.mark.parametrize("field", ["version", "mcp"])
def test_a_book_for_another_version_is_not_used(field: str, tmp_path: Path) -> None:
    variant = Variant(TOOL_GROUPS, read_only=False, accounts=())
    other = tmp_path / "book.json"
    content = json.loads(Path(FILE).read_text(encoding="utf-8"))
    other.write_text(json.dumps(content | {field: "0.0.1"}), encoding="utf-8")
    assert open_book(variant, str(other)) is None


@pytest.mark.parametrize("content", [None, "", "{", "[]", "{}", '{"version": 1}', "\x00"])
def test_a_book_that_cannot_be_read_is_not_used(content: str | None, tmp_path: Path) -> None:
    file = tmp_path / "book.json"
    if content is not None:
        file.write_text(content, encoding="utf-8")
    assert open_book(Variant(TOOL_GROUPS, read_only=False, accounts=()), str(file)) is None


def test_the_version_is_that_of_the_package_that_would_be_imported(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for each in (first / "mcp", second / "mcp", second / "mcp-2.3.0.dist-info"):
        each.mkdir(parents=True)
    path = [str(tmp_path / "missing"), str(second)]
    assert is_installed("mcp", "2.3.0", path)
    assert not is_installed("mcp", "2.3", path)
    assert not is_installed("mcp", "2.3.0", [str(first), str(second)])
    assert not is_installed("mcp", "2.3.0", [])

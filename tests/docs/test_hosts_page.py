"""docs/hosts.md and the pages of the clients say what the tests and the catalogue say."""

from __future__ import annotations

from scripts.generate import client_pages
from scripts.generate.hosts import PAGE, page


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text("utf-8") == page(), "run `make docs`"


def test_the_pages_of_the_clients_are_up_to_date() -> None:
    assert {file.name for file in client_pages.FOLDER.iterdir()} == {
        file.name for file in client_pages.pages()
    }
    for file, text in client_pages.pages().items():
        assert file.read_text("utf-8") == text, "run `make docs`"

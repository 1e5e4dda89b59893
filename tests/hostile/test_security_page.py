"""The page of attacks says what is tried."""

from __future__ import annotations

from scripts.generate import security


def test_the_page_lists_every_attack_that_a_test_tries() -> None:
    assert security.PAGE.read_text(encoding="utf-8") == security.page(), "run: make docs"


def test_there_are_attacks_on_money_secrets_and_doors() -> None:
    tried = {each.module.split("/")[1] for each in security.attacks()}
    assert {"approval", "hostile"} <= tried

"""The page of attacks says what is tried."""

from __future__ import annotations

from tests.hostile import security_page


def test_the_page_lists_every_attack_that_a_test_tries() -> None:
    assert security_page.PAGE.read_text(encoding="utf-8") == security_page.page(), "run: make docs"


def test_there_are_attacks_on_money_secrets_and_doors() -> None:
    tried = {each.module.split("/")[1] for each in security_page.attacks()}
    assert {"approval", "hostile"} <= tried

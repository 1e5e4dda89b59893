"""What the mutants of a piece of code are."""

from __future__ import annotations

import ast

import pytest

from scripts.mutants import MODULES, mutants_of, suite_for

CODE = '''\
def pay(amount, sent):
    """Docstrings are not changed."""
    if amount > 10 and not sent:
        record(amount)
        send(amount + 1)
    return amount
'''


@pytest.mark.parametrize(
    ("kind", "after"),
    [
        ("compare", "(amount >= 10)"),
        ("logic", "(amount > 10 or not sent)"),
        ("not", "(sent)"),
        ("constant", "11"),
        ("arithmetic", "(amount - 1)"),
        ("delete", "pass"),
        ("return", "return None"),
        ("swap", "send(amount + 1)\n        record(amount)"),
    ],
)
def test_each_kind_of_change_is_tried(kind: str, after: str) -> None:
    assert (kind, after) in {(each.kind, each.after) for each in mutants_of("pay.py", CODE)}


def test_every_mutant_differs_from_the_code_and_can_be_parsed() -> None:
    mutants = list(mutants_of("pay.py", CODE))
    changed = [CODE[: each.start] + each.after + CODE[each.end :] for each in mutants]
    assert len(changed) > 8
    for each in changed:
        assert ast.dump(ast.parse(each)) != ast.dump(ast.parse(CODE))


def test_positions_are_right_behind_characters_of_several_bytes() -> None:
    [mutant] = mutants_of("euro.py", "price = '€€' < limit\n")
    assert mutant.before == "'€€' < limit"


def test_the_tests_of_the_nearest_folder_are_run() -> None:
    assert suite_for("telnyx_mcp/approval/page/render.py") == MODULES["telnyx_mcp/approval/page"]
    assert suite_for("telnyx_mcp/approval/gate.py") == MODULES["telnyx_mcp/approval"]

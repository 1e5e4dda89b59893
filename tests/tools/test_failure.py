"""The text of a failed call: what happened, why, what to do, and whether to try again."""

from __future__ import annotations

from telnyx_mcp.tools.framework.failure import ToolFailure, not_asked


def test_the_parts_of_a_failure_are_one_text_in_this_order() -> None:
    failure = ToolFailure(
        "Nothing was exported", "no folder is set.", again="Try again after that.", do="Set one."
    )
    text = "Nothing was exported: no folder is set. Set one. Try again after that."
    assert str(failure) == text
    assert (failure.summary, failure.why) == ("Nothing was exported", "no folder is set.")


def test_parts_that_are_not_known_are_left_out() -> None:
    assert str(ToolFailure("The ledger can't be read.")) == "The ledger can't be read."


def test_a_failure_before_any_request_says_so_first() -> None:
    failure = not_asked("end_date is before start_date.", "Call again.")
    text = "Nothing was asked of Telnyx: end_date is before start_date. Call again."
    assert str(failure) == text

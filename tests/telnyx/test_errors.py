"""The words for what went wrong: what, why, whether again, what to do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telnyx_mcp.telnyx.errors import ADVICE, Complaint, Failure, TelnyxError, complaints_in


@pytest.mark.parametrize("failure", Failure)
def test_every_failure_has_its_own_text(failure: Failure) -> None:
    others = {advice.what for other, advice in ADVICE.items() if other is not failure}
    assert ADVICE[failure].what not in others


@pytest.mark.parametrize("failure", Failure)
def test_an_error_says_what_then_why_then_whether_again_then_what_to_do(failure: Failure) -> None:
    text = str(TelnyxError(failure, "because", 418, retry_in=7))
    again = ADVICE[failure].again.format(when="in 7 s")
    places = [text.index(part) for part in (ADVICE[failure].what, "because", again)]
    assert places == sorted(places)
    assert text.endswith(ADVICE[failure].do)
    assert "(HTTP 418)" in text


@pytest.mark.parametrize("failure", Failure)
def test_an_error_stays_under_1500_characters(failure: Failure) -> None:
    long = Complaint("1" * 300, "t" * 300, "d" * 300, "p" * 300)
    assert len(str(TelnyxError(failure, "y" * 5000, 599, (long,) * 10))) < 1500


@pytest.mark.parametrize(("seconds", "told"), [(0.0, "in 1 s"), (0.2, "in 1 s"), (11.2, "in 12 s")])
def test_seconds_to_wait_are_rounded_up(seconds: float, told: str) -> None:
    assert told in str(TelnyxError(Failure.RATE_LIMITED, retry_in=seconds))


def test_without_seconds_to_wait_the_words_still_make_a_sentence() -> None:
    assert "will work later" in str(TelnyxError(Failure.RATE_LIMITED))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["errors", "code", "title", "detail", "source", "parameter", "pointer"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_no_error_body_breaks_the_reading_of_it(body: object) -> None:
    complaints_in(body, {})


@given(
    st.lists(
        st.dictionaries(st.sampled_from(["code", "title", "detail", "source"]), JSON), max_size=3
    )
)
def test_no_control_character_of_an_error_body_survives(errors: list[object]) -> None:
    text = str(TelnyxError(Failure.INVALID, "", 422, complaints_in({"errors": errors}, {})))
    assert text.isprintable()
    assert len(text) < 1500

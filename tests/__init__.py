"""The tests. An assertion that fails in `tests.support` shows its values, as it does in a test."""

import pytest

pytest.register_assert_rewrite("tests.support")

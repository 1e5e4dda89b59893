"""The picture in the README shows the sandbox's own figures, question and outcome."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest

from scripts.generate.chat import COLOURS, conversation, drawn
from scripts.generate.pictures import IMAGES


@pytest.mark.slow
@pytest.mark.parametrize("name", list(COLOURS))
def test_the_picture_is_the_conversation_with_the_sandbox(name: str) -> None:
    picture = (IMAGES / f"chat-{name}.svg").read_text("utf-8")
    assert picture == drawn(conversation(), COLOURS[name]), "run `make pictures`"


@pytest.mark.parametrize("name", list(COLOURS))
def test_the_picture_stands_alone(name: str) -> None:
    """No font, image or script from elsewhere, and words for those who don't see it."""
    root = ElementTree.parse(IMAGES / f"chat-{name}.svg").getroot()
    kinds = {each.tag.partition("}")[2] for each in root.iter()}
    assert kinds == {"svg", "title", "desc", "rect", "text"}
    assert "Top us up by $120." in (root.findtext("{*}desc") or "")

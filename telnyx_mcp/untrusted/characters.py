"""Which characters of untrusted text are shown.

Characters without a visible shape can hide text from a person but not from a model: controls,
bidirectional overrides, tags, variation selectors, blank fillers. They are removed. They stay where
writing needs them: inside an emoji, and between the letters of a script that joins letters.

Example: `pay\u202e001` displays as `pay100` and is shown as `pay001`; the joiner in an emoji stays.
"""

from __future__ import annotations

import re
import unicodedata

_EMOJI = "\xa9\xae\u203c\u2049\u2122\u2139\u2190-\u27ff\u2900-\u2bff\u3030\u303d\u3297\u3299"
_EMOJI += "\U0001f000-\U0001faff"
"""Characters an emoji can begin with. Braille, between the two ranges of arrows, is not among them."""
_JOINING = "\u0620-\u08ff\u0900-\u109f\u1780-\u18af\u1900-\u1cff\ua800-\uabff\U00010a00-\U00011fff"
"""Scripts in which a joiner decides how letters look: Arabic, the Indic ones, Khmer, Mongolian."""
_HAN = "\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003fffd"
"""Ideographs, of which one selector may choose a shape: names are written with them."""
_FLAGS = "|".join(
    "\U0001f3f4" + "".join(chr(0xE0000 + ord(letter)) for letter in region) + "\U000e007f"
    for region in ("gbeng", "gbsct", "gbwls")
)
"""England, Scotland and Wales: the only flags that fonts have, written as tags, which spell text."""
_SHOWN = "|".join(
    (
        _FLAGS,
        rf"(?<=[{_EMOJI}])[\ufe0e\ufe0f]",
        rf"(?<=[{_HAN}])[\U000e0100-\U000e01ef]",
        r"(?<=[0-9#*])\ufe0f(?=\u20e3)",
        rf"(?<=[{_EMOJI}])\u200d(?=[{_EMOJI}])",
        rf"(?<=[{_EMOJI}]\ufe0f)\u200d(?=[{_EMOJI}])",
        rf"(?<=[{_JOINING}])[\u200c\u200d]",
        r"(?<=[\u1820-\u18aa])[\u180b-\u180d\u180f]",
    )
)
"""Where an invisible character is part of what is seen."""
_INVISIBLE = (
    # Default-ignorable by Unicode, or drawn as nothing by every font.
    "\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffc\U00013430-\U0001345f\U00016fe4\U0001bca0-\U0001bca3"
    "\U0001d159\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_HIDDEN = re.compile(rf"({_SHOWN})|[{_INVISIBLE}]")
_VISIBLE_CONTROLS = frozenset(
    "\n\t\u200c\u200d\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"
)
"""Exceptions from the categories that are removed: line breaks, signs that Arabic, Syriac and Kaithi
write around a number, and the joiners that were found in their place."""
_TERMINAL = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]{0,64}[ -/]{0,8}[@-~]"  # colours, and moves of the cursor
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]{0,512}(?:\x07|\x1b\\|\x9c)"  # titles, links
)
"""Whole sequences that steer a terminal: what is left of one would read like a part of a word."""
_ASCII_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def visible(text: str) -> str:
    """The text without characters that are not seen, and without those that steer a terminal."""
    if "\x1b" in text or not (text.isascii() or text.isprintable()):
        text = _TERMINAL.sub("", text)
    if text.isascii():
        return text if text.isprintable() else _ASCII_CONTROLS.sub("", text)
    if not text.isprintable():
        text = "".join(filter(_may_stay, text))
    return _HIDDEN.sub(r"\1", text)


def _may_stay(character: str) -> bool:
    code = ord(character)
    return (
        unicodedata.category(character)[0] != "C"
        or character in _VISIBLE_CONTROLS
        or 0xE0020 <= code <= 0xE007F  # a flag's, or removed next
        # Emoji and ideographs that are newer than this Python.
        or 0x1F000 <= code <= 0x1FAFF
        or 0x20000 <= code <= 0x3FFFD
    )

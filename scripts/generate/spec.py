"""What Telnyx's OpenAPI document says of the operations used here, without its prose: tests/spec/*.json.

`python -m scripts.generate.spec` (`make spec`) writes the files from the document, `--check` compares. The
document is not part of this repository: it is looked for in ../shared/telnyx beside the checkout, or in
the folder that TELNYX_OPENAPI names.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "tests" / "spec"
DOCUMENTS = Path(os.environ.get("TELNYX_OPENAPI") or ROOT.parent / "shared" / "telnyx")
NAMES = ("account", "neighbours")
"""The thirteen operations of the mission, and those beside them."""
PROSE = {
    "deprecated",
    "description",
    "example",
    "examples",
    "externalDocs",
    "operationId",
    "summary",
    "tags",
    "title",
}
NAMED = {"paths", "properties", "schemas", "responses", "parameters"}
"""Objects whose keys are names, not keywords: a property may well be called `description`."""


def without_prose(value: Any, *, names: bool = False) -> Any:
    """The same schema without what only people read."""
    if isinstance(value, list):
        return [without_prose(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        key: without_prose(each, names=key in NAMED and not names)
        for key, each in value.items()
        if names or not (key in PROSE or key.startswith("x-"))
    }


def spec_of(document: dict[str, Any]) -> dict[str, Any]:
    return {name: without_prose(document[name], names=True) for name in ("paths", "components")}


def main(arguments: list[str]) -> int:
    """0 if the files are written, or as they should be; 1 if one differs or there is no document."""
    files = {name: DOCUMENTS / f"{name}-openapi.json" for name in NAMES}
    if missing := [str(file) for file in files.values() if not file.exists()]:
        print(f"Telnyx's OpenAPI document is not there: {', '.join(missing)}")
        return 1
    stale = []
    for name, file in files.items():
        text = json.dumps(spec_of(json.loads(file.read_text("utf-8"))), indent=1) + "\n"
        target = FOLDER / f"{name}.json"
        if not target.exists() or target.read_text("utf-8") != text:
            stale.append(name)
            if "--check" not in arguments:
                FOLDER.mkdir(exist_ok=True)
                target.write_text(text, "utf-8")
    verb = "differ: run `make spec`" if "--check" in arguments else "written"
    print(f"tests/spec: {', '.join(stale)} {verb}" if stale else "tests/spec: nothing to write")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

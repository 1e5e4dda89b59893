"""What is wrong in service.toml, as sentences: the file, the table, the key, and what may be set there.
Never the value, which may be a secret."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails


class ConfigError(Exception):
    """The service can't be configured so. Its text lists every problem, a line each."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(f"{each.removesuffix('.')}." for each in problems))
        self.problems = tuple(problems)


def problems_in(error: ValidationError, model: type[BaseModel], file: str) -> list[str]:
    """A sentence for each mistake in the file, in the order of the file's model."""
    found = [
        f"{file}: {_sentence(each, model)}"
        for each in error.errors(include_input=False, include_url=False, include_context=True)
    ]
    return list(dict.fromkeys(found))


def _sentence(error: ErrorDetails, model: type[BaseModel]) -> str:
    *tables, key = [str(each) for each in error["loc"] if not isinstance(each, int)] or [""]
    known = _model_at(model, tables)
    where = f"[{'.'.join(tables)}] " if tables else ""
    kind = error["type"]
    if kind == "extra_forbidden":
        return f"{where}{key[:80]!r} is not a setting{_nearest(key, known)}"
    if kind == "missing":
        is_table = _table_of(known, key) is not None
        name = f"the table [{'.'.join([*tables, key])}]" if is_table else f"{where}{key}"
        return f"{name} is missing{_about(known, key)}"
    return f"{where}{key} {_message(error)}"


def _message(error: ErrorDetails) -> str:
    """What may be set, from pydantic's sentence."""
    text = error["msg"].removeprefix("Value error, ")
    for theirs, ours in _WORDS.items():
        text = text.replace(theirs, ours)
    return text[:1].lower() + text[1:]


_WORDS: Mapping[str, str] = {
    "Input should be": "must be",
    "Input should have": "must have",
    "a valid string": "text in quotes",
    "a valid tuple": "a list",
    "a valid dictionary or instance of": "a table:",
    "a valid boolean": "true or false",
    "a valid number": "a number",
    "a valid mapping": "a table",
    "String should have": "must have",
    "Tuple should have": "must have",
}


def _nearest(key: str, known: type[BaseModel] | None) -> str:
    names = list(known.model_fields) if known else []
    near = get_close_matches(key, names, 1, 0.6)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"{hint} Known here: {', '.join(names)}" if hint else f". Known here: {', '.join(names)}"


def _about(known: type[BaseModel] | None, key: str) -> str:
    field = known.model_fields.get(key) if known else None
    return f": {' '.join(field.description.split())}" if field and field.description else ""


def _model_at(model: type[BaseModel], tables: Sequence[str]) -> type[BaseModel] | None:
    """The model of a table; None if it is not one."""
    found: type[BaseModel] | None = model
    keys = iter(tables)
    for key in keys:
        if found is None:
            return None
        annotation = _annotation(found, key)
        found = _model_in(annotation)
        if get_origin(annotation) is not None and _is_mapping(annotation):
            next(keys, None)  # the name of a role
    return found


def _table_of(known: type[BaseModel] | None, key: str) -> type[BaseModel] | None:
    return _model_in(_annotation(known, key)) if known else None


def _annotation(model: type[BaseModel], key: str) -> Any:
    field = model.model_fields.get(key)
    return field.annotation if field else None


def _is_mapping(annotation: Any) -> bool:
    return isinstance(get_origin(annotation), type) and issubclass(get_origin(annotation), Mapping)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    return next(_models_in(annotation), None)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for each in get_args(annotation):
        yield from _models_in(each)

"""Several accounts by name: the profiles file, and the settings of each account in it.

    default = "main"

    [profiles.main]
    key_from = "keyring"
    max_payment = "200.00"

    [profiles.eu]
    key_from = "env:TELNYX_KEY_EU"
    read_only = true

A profile may hold any setting by its name, except the key: a file is not a place for one. A profile's
values win over the environment, which supplies all others; of the settings that limit what can be paid
(`stricter.py`), the stricter value wins. Its key is in the keyring unless `key_from` says otherwise:
never in `TELNYX_API_KEY`, which is some other account's.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from telnyx_mcp.config.addresses import foreign_address, is_loopback
from telnyx_mcp.config.paths import profiles_file, writable_by
from telnyx_mcp.config.profiles_file import SettingsError as SettingsError
from telnyx_mcp.config.profiles_file import select_profile
from telnyx_mcp.config.settings import VARIABLES, SettingProblem, Settings, variable_of
from telnyx_mcp.config.stricter import Contradiction, strictest

_NOT_A_PROFILES = {"api_key", "api_key_file", "profile", "profiles_file", "http_token"}
SETTABLE = sorted(Settings.model_fields.keys() - _NOT_A_PROFILES)


@dataclass(frozen=True, slots=True)
class ConfiguredAccounts:
    """The account that a server is for, and the others, which it may only read."""

    main: Settings
    others: Mapping[str, Settings] = field(default_factory=dict)
    file: Path | None = None
    """The profiles file that they come from."""
    notes: Sequence[str] = ()
    """Values of the main account in the file that are ignored, as sentences for the user."""


def configured(profile: str | None = None, *, tolerant: bool = False) -> ConfiguredAccounts:
    """The accounts as configured; keys are not looked up yet.

    The main one is the profile named here or in the environment; else the environment's own, where
    it has a key; else the file's default. Raises `SettingsError`. If `tolerant`, a value that can't be
    used is one of the `problems` of its settings instead, and so is the error for the file.
    """
    read = tolerated if tolerant else checked
    environment = read("")
    try:
        return _chosen(environment, profile or environment.profile, read)
    except SettingsError as error:
        if not tolerant:
            raise
        sentence = str(error) if str(error).endswith("?") else f"{error}."
        problem = SettingProblem("profile", sentence)
        return ConfiguredAccounts(environment.with_problems([*environment.problems, problem]))


def _chosen(environment: Settings, wanted: str | None, read: Reader) -> ConfiguredAccounts:
    """The accounts, of which the main one is the `wanted` profile, if one is named."""
    file = environment.profiles_file or profiles_file()
    chosen, profiles = select_profile(file, wanted, has_key=_names_a_key(environment))
    if chosen is None:
        return ConfiguredAccounts(environment)
    accounts = {name: _settings_of(name, values, file, read) for name, values in profiles.items()}
    if not (is_own := _is_users_own(file)):
        _refuse_other_places(accounts, profiles, file)
    # A limit of the environment holds for every profile, so a wrong one does, too.
    limits = [each for each in environment.problems if each.is_safety]
    main = accounts.pop(chosen)
    main = main.with_problems(dict.fromkeys([*main.problems, *limits]))
    others = {name: each.model_copy(update={"read_only": True}) for name, each in accounts.items()}
    try:
        limited = strictest(main, profiles[chosen], environment, may_raise=is_own)
    except Contradiction as error:
        raise SettingsError(f"{file}, [profiles.{chosen}]: {error}") from None
    notes = [_ignored(f"{file}, [profiles.{chosen}]", name, main, limited) for name in limited]
    return ConfiguredAccounts(main.model_copy(update=limited), others, file, notes)


def _names_a_key(environment: Settings) -> bool:
    """Whether the environment holds a key, or means to."""
    given = environment.api_key or environment.api_key_file
    return given is not None or any(
        each.setting in {"api_key", "api_key_file"} for each in environment.problems
    )


def _is_users_own(file: Path) -> bool:
    """Whether this is the file in the user's configuration directory, which nobody else may write.
    Only there may a profile raise a cap or grant a budget: `TELNYX_MCP_PROFILES` can name a file
    that came with a project."""
    try:
        is_own = file.samefile(profiles_file())
        return is_own and writable_by(file) not in {"anyone", "another user"}
    except OSError:  # there is no such file, or it can't be seen
        return False


def _refuse_other_places(
    accounts: Mapping[str, Settings], profiles: Mapping[str, Mapping[str, Any]], file: Path
) -> None:
    """Raises `SettingsError` where a file that is not the user's own would send the key to a stranger,
    or keep the ledger elsewhere, which would forget the caps and what was paid."""
    for name, values in profiles.items():
        address = accounts[name].base_url
        is_elsewhere = foreign_address(address) and not is_loopback(
            urlsplit(address).hostname or ""
        )
        for setting, refused in (("base_url", is_elsewhere), ("state_url", True)):
            if setting in values and refused:
                raise SettingsError(
                    f"{file}, [profiles.{name}]: {setting} may be set by the environment "
                    f"({Settings.model_fields[setting].validation_alias}) or by {profiles_file()}, "
                    "which nobody else can write, and by no other file. Take it out, or move the "
                    "profile there"
                )


def _ignored(where: str, name: str, requested: Settings, limited: Mapping[str, Any]) -> str:
    variable = Settings.model_fields[name].validation_alias
    return (
        f"{where}: {name} = {getattr(requested, name)} is ignored; it is {limited[name]}. A profile can be "
        f"stricter than {variable}, never looser. Without that variable, only {profiles_file()} can "
        "raise it, and only if no other user can write that file."
    )


def _settings_of(name: str, values: Mapping[str, Any], file: Path, read: Reader) -> Settings:
    where = f"{file}, [profiles.{name}]: "
    for each in values:
        if each in {"api_key", "key", "TELNYX_API_KEY"}:
            raise SettingsError(
                f"{where}a key does not belong in a file. Take it out, run `telnyx-account-mcp key "
                f'set --profile {name}`, and write key_from = "keyring" (or "env:NAME")'
            )
        if each not in SETTABLE:
            near = get_close_matches(each, SETTABLE, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(SETTABLE)}"
            raise SettingsError(f"{where}there is no setting {each!r}; {hint}")
    own = {"api_key": None, "api_key_file": None, "profile": name}
    given = {"key_from": "keyring", **values, **own}
    if given["key_from"] == "auto":
        raise SettingsError(f'{where}key_from must be "keyring" or "env:NAME"')
    return read(where, _as_in_file, **given)


def _as_in_file(setting: str) -> str:
    """What a setting is called in the file: by its own name, not by that of a variable."""
    return setting


def checked(where: str, named: Callable[[str], str] = variable_of, /, **values: Any) -> Settings:
    """The settings with these values over the environment's. Raises `SettingsError`, which says
    `where` first, and names each of these values as `named` does."""
    try:
        return _settings(values)
    except ValidationError as error:
        # Each text names its setting, so `where` is said once.
        problems = _problems(error, "", named, values)
        raise SettingsError(
            where + "; ".join(each.text.removesuffix(".") for each in problems)
        ) from None


def tolerated(where: str, named: Callable[[str], str] = variable_of, /, **values: Any) -> Settings:
    """The same, except that a value that can't be used is replaced by the default, and is one of the
    `problems` of the settings. A problem of the environment is reported without `where`."""
    try:
        return _settings(values)
    except ValidationError as error:
        problems = _problems(error, where, named, values)
    defaults = {
        each.setting: Settings.model_fields[each.setting].get_default() for each in problems
    }
    return _settings({**values, **defaults}).with_problems(problems)


def _settings(values: Mapping[str, Any]) -> Settings:
    # By the names of the variables, so that they win over the environment.
    return Settings(**{variable_of(name): value for name, value in values.items()})


def _problems(
    error: ValidationError, where: str, named: Callable[[str], str], values: Container[str]
) -> list[SettingProblem]:
    """What is wrong, a problem for each setting. Those that are not among `values` come from the
    environment."""
    found: dict[str, SettingProblem] = {}
    for each in error.errors(include_input=False, include_url=False):
        variable = str(each["loc"][0])
        setting = VARIABLES[variable]
        whose = f"{where}{named(setting)}" if setting in values else variable
        text = f"{whose} {each['msg'].removeprefix('Value error, ')}."
        found.setdefault(setting, SettingProblem(setting, text))
    return list(found.values())


Reader = Callable[..., Settings]
"""`checked` or `tolerated`."""

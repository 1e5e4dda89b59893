"""service.toml and the secrets of the environment: what is read, and what is said about mistakes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from telnyx_mcp.config.environment import misspelt
from telnyx_mcp.service.config import ServiceConfig, read_config
from telnyx_mcp.service.config_errors import ConfigError
from telnyx_mcp.service.loading import load
from telnyx_mcp.service.roles_file import RolesInForce
from telnyx_mcp.service.secrets_of import NAMES, read_secrets
from telnyx_mcp.untrusted import without_keys_in

SMALLEST = """\
public_url = "https://telnyx.example.com"

[issuer]
url = "https://id.example.com"

[sign_in]
client_id = "pages"

[roles.readers]
groups = ["everybody"]
"""
SECRETS = {
    "TELNYX_API_KEY": "KEY0123456789ABCDEF_made-up-of-these-tests",
    "TELNYX_MCP_STATE_URL": "postgresql+psycopg://user:the-password-of-tests@db/telnyx",
    "TELNYX_MCP_SERVICE_SECRET": "a-made-up-secret-of-the-service-0123456789",
    "TELNYX_MCP_SIGN_IN_SECRET": "a-made-up-secret-of-the-sign-in",
}
Written = Callable[[str], Path]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """Writes a service.toml."""

    def write(text: str) -> Path:
        file = tmp_path / "service.toml"
        file.write_text(text, encoding="utf-8")
        return file

    return write


def problems(file: Path, **environment: str) -> str:
    """What is said about the file."""
    with pytest.raises(ConfigError) as refused:
        read_config(file, environment)
    return str(refused.value)


@pytest.mark.parametrize(
    "typed",
    [
        "https://telnyx.example.com/",
        "https://Telnyx.Example.COM",
        "https://telnyx.example.com:443",
        "HTTPS://telnyx.example.com",
    ],
)
def test_the_address_is_that_which_browsers_send_however_it_is_typed(
    written: Written, typed: str
) -> None:
    config = read_config(written(SMALLEST.replace("https://telnyx.example.com", typed)), {})
    assert config.public_url == "https://telnyx.example.com"
    assert config.allowed_hosts == ["telnyx.example.com"]
    assert config.resource == "https://telnyx.example.com/mcp"


def test_another_port_is_part_of_the_address(written: Written) -> None:
    typed = SMALLEST.replace("https://telnyx.example.com", "https://telnyx.example.com:8443")
    config = read_config(written(typed), {})
    assert config.allowed_hosts == ["telnyx.example.com:8443"]


def test_the_smallest_file_has_a_default_for_everything_else(written: Written) -> None:
    config = read_config(written(SMALLEST), {})
    assert str(config.listen) == "0.0.0.0:8080"
    assert str(config.metrics_listen) == "127.0.0.1:9464"
    assert config.drain_seconds == 5
    assert config.approval.proposal_lifetime == timedelta(hours=24)
    assert config.resource == config.audience == "https://telnyx.example.com/mcp"
    assert config.allowed_hosts == ["telnyx.example.com"]
    assert config.allowed_origins == ["https://telnyx.example.com"]


def test_the_environment_wins_where_replicas_may_differ(written: Written) -> None:
    environment = {
        "TELNYX_MCP_PUBLIC_URL": "https://other.example.com:8443/",
        "TELNYX_MCP_SERVICE_LISTEN": "[::1]:8081",
        "TELNYX_MCP_SERVICE_METRICS_LISTEN": "127.0.0.1:9999",
    }
    config = read_config(written(SMALLEST), environment)
    assert config.resource == "https://other.example.com:8443/mcp"
    assert config.allowed_hosts == ["other.example.com:8443"]
    assert str(config.listen) == "[::1]:8081"
    assert str(config.metrics_listen) == "127.0.0.1:9999"


def test_metrics_can_be_served_nowhere(written: Written) -> None:
    assert read_config(written('metrics_listen = ""\n' + SMALLEST), {}).metrics_listen is None


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("client_id", "clientid", "[sign_in] 'clientid' is not a setting; did you mean client_id?"),
        ("[issuer]", "[isuer]", "'isuer' is not a setting; did you mean issuer?"),
        ("[issuer]", "[isuer]", "the table [issuer] is missing"),
        ("groups", "group", "[roles.readers] 'group' is not a setting; did you mean groups?"),
        ('["everybody"]', '"everybody"', "[roles.readers] groups must be a list"),
        ("https://id", "http://id", "[issuer] url must begin with https://"),
        ("https://telnyx.example.com", "https://x.example.com/mcp", "an address without a path"),
        (
            "[issuer]",
            "drain_seconds = 900\n[issuer]",
            "drain_seconds must be less than or equal to 20",
        ),
        ("[issuer]", 'listen = "8080"\n[issuer]', "listen must be HOST:PORT, such as 0.0.0.0:8080"),
        (
            "[issuer]",
            "[approval]\ntwo_approvers_above = 100.5\n[issuer]",
            '[approval] two_approvers_above must be written in quotes, such as "500.00"',
        ),
        (
            "[issuer]",
            '[approval]\nproposal_lifetime = "1w"\n[issuer]',
            '[approval] proposal_lifetime must be a time from "10m" to "7d"',
        ),
        ('groups = ["everybody"]', "read = true", "names no groups and no people"),
        (
            'groups = ["everybody"]',
            'groups = ["a"]\nmax_payment = "5"',
            "[roles.readers] sets max_payment, which needs propose = true",
        ),
        (
            'groups = ["everybody"]',
            'groups = ["a"]\npropose = true',
            "nobody may approve one. Set approve_up_to in a role",
        ),
        (
            "[issuer]",
            'metrics_listen = "0.0.0.0:8080"\n[issuer]',
            "metrics_listen is the port of listen",
        ),
        ("[issuer]", "[issuer", "is not TOML"),
    ],
)
def test_a_mistake_is_named_with_its_table_and_what_may_be_set(
    written: Written, old: str, new: str, said: str
) -> None:
    file = written(SMALLEST.replace(old, new, 1))
    text = problems(file)
    assert said in text
    assert str(file) in text


def test_all_mistakes_are_named_at_once(written: Written) -> None:
    file = written("public_url = 5\n[roles.a]\npropse = true\n")
    with pytest.raises(ConfigError) as refused:
        load(file, {})
    text = str(refused.value)
    for name in (
        "public_url",
        "propse",
        "[issuer]",
        "[sign_in]",
        "TELNYX_API_KEY",
        "SERVICE_SECRET",
    ):
        assert name in text
    assert len(refused.value.problems) >= 7


def test_a_value_is_never_shown_as_it_may_be_a_secret(written: Written) -> None:
    secret = "a-secret-in-the-wrong-place"
    text = problems(
        written(f'public_url = "{secret}"\nlisten = "{secret}"\n[issuer]\nurl = "{secret}"\n')
    )
    assert secret not in text


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    assert "none.toml can't be read" in problems(tmp_path / "none.toml")


# --- secrets --------------------------------------------------------------------------------------


@pytest.fixture
def config(written: Written) -> ServiceConfig:
    return read_config(written(SMALLEST), {})


def test_secrets_come_from_variables_or_from_the_files_they_name(
    config: ServiceConfig, tmp_path: Path
) -> None:
    file = tmp_path / "secret"
    file.write_text("another-made-up-secret-of-the-sign-in\n", encoding="utf-8")
    environment = {**SECRETS, "TELNYX_MCP_SIGN_IN_SECRET_FILE": str(file)}
    del environment["TELNYX_MCP_SIGN_IN_SECRET"]
    secrets = read_secrets(environment, config)
    assert secrets.sign_in.get_secret_value() == "another-made-up-secret-of-the-sign-in"
    assert secrets.notice_url is None


def test_no_secret_is_in_its_own_description_or_in_a_text_after_it_was_read(
    config: ServiceConfig,
) -> None:
    shown = repr(read_secrets(SECRETS, config))
    for each in (*SECRETS.values(), "the-password-of-tests"):
        assert each not in shown
        assert each not in str(without_keys_in(f"it is {each}."))


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"TELNYX_MCP_SIGN_IN_SECRET": ""}, "TELNYX_MCP_SIGN_IN_SECRET is not set"),
        (
            {"TELNYX_MCP_SIGN_IN_SECRET_FILE": "/somewhere"},
            "TELNYX_MCP_SIGN_IN_SECRET and TELNYX_MCP_SIGN_IN_SECRET_FILE are both set",
        ),
        (
            {"TELNYX_API_KEY": "", "TELNYX_API_KEY_FILE": "/no/such/file"},
            "TELNYX_API_KEY_FILE: The file of the key, /no/such/file, can't be read",
        ),
        ({"TELNYX_MCP_STATE_URL": "sqlite:////a/file"}, "a service needs PostgreSQL"),
        ({"TELNYX_MCP_STATE_URL": "mysql://db"}, "TELNYX_MCP_STATE_URL must begin with"),
        ({"TELNYX_MCP_SERVICE_SECRET": "short"}, "shorter than 32 characters"),
        (
            {
                "TELNYX_MCP_NOTICE_URL": "http://chat.example.com/x",
                "TELNYX_MCP_NOTICE_SECRET": "a-made-up-secret-of-notices",
            },
            "NOTICE_URL must begin with https",
        ),
        (
            {"TELNYX_MCP_NOTICE_URL": "https://chat.example.com/x"},
            "TELNYX_MCP_NOTICE_SECRET is not set",
        ),
    ],
)
def test_a_secret_that_is_missing_or_wrong_is_named(
    config: ServiceConfig, variables: dict[str, str], said: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        read_secrets(SECRETS | variables, config)
    assert said in str(refused.value)
    assert len(refused.value.problems) == 1


def test_no_variable_of_the_service_is_taken_for_a_misspelt_setting() -> None:
    names = [f"{name}{suffix}" for name in NAMES for suffix in ("", "_FILE")]
    names += ["TELNYX_MCP_PUBLIC_URL", "TELNYX_MCP_SERVICE_LISTEN"]
    names.append("TELNYX_MCP_SERVICE_METRICS_LISTEN")
    assert misspelt(dict.fromkeys(names, "x")) == []


# --- roles ----------------------------------------------------------------------------------------


def test_roles_are_read_again_and_a_mistake_leaves_the_old_ones_in_force(
    written: Written, caplog: pytest.LogCaptureFixture
) -> None:
    file = written(SMALLEST)
    in_force = RolesInForce(read_config(file, {}), lambda: read_config(file, {}))
    written(SMALLEST + '[roles.finance]\ngroups = ["f"]\napprove_up_to = "70"\n')
    assert in_force.reload()
    assert in_force.roles.who_approves(Decimal(70)) == "finance"
    written(SMALLEST + '[roles.finance]\ngroups = ["f"]\napprove_upto = "90"\n')
    assert not in_force.reload()
    assert in_force.roles.who_approves(Decimal(70)) == "finance"
    assert "did you mean approve_up_to?" in caplog.text


def test_other_settings_are_not_read_again_and_the_log_says_so(
    written: Written, caplog: pytest.LogCaptureFixture
) -> None:
    file = written(SMALLEST)
    in_force = RolesInForce(read_config(file, {}), lambda: read_config(file, {}))
    written(SMALLEST.replace("id.example.com", "other.example.com"))
    assert in_force.reload()
    assert "other settings need a restart" in caplog.text

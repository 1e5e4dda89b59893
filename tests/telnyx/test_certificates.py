"""Which certificates Telnyx's own is checked against, and what is said of one that fails."""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import trustme
from pydantic import SecretStr

from telnyx_mcp.telnyx import operations as op
from telnyx_mcp.telnyx.certificates import certificates, system_has_certificates
from telnyx_mcp.telnyx.deadline import Deadline
from telnyx_mcp.telnyx.errors import Failure, Fate, TelnyxError
from telnyx_mcp.telnyx.transport import Transport
from tests.support.scripted_telnyx import KEY, failure_of
from tests.support.simulated_time import Time
from tests.telnyx.test_tls import (
    ANSWER,
    Certificate,
    Listener,
    expired,
    for_another_name,
    listening,
    not_yet_valid,
    right,
    self_signed,
    untrusted,
    without_its_intermediate,
)

PAYMENT = op.CREATE_STORED_PAYMENT_TRANSACTION


def missing(folder: Path) -> Path:
    return folder / "missing.pem"


def a_folder(folder: Path) -> Path:
    return folder


def empty(folder: Path) -> Path:
    (path := folder / "empty.pem").touch()
    return path


def a_text(folder: Path) -> Path:
    (path := folder / "text.pem").write_text("no certificate\n", encoding="utf-8")
    return path


def cut_off(folder: Path) -> Path:
    whole = trustme.CA().cert_pem.bytes()
    (path := folder / "cut.pem").write_bytes(whole[:200] + b"\n-----END CERTIFICATE-----\n")
    return path


def a_key(folder: Path) -> Path:
    (path := folder / "key.pem").write_bytes(trustme.CA().private_key_pem.bytes())
    return path


def binary(folder: Path) -> Path:
    (path := folder / "ca.der").write_bytes(bytes(range(256)) * 9)
    return path


def a_pipe(folder: Path) -> Path:
    os.mkfifo(path := folder / "pipe.pem")
    return path


def dangling(folder: Path) -> Path:
    (path := folder / "link.pem").symlink_to(folder / "gone.pem")
    return path


def with_a_line_break(folder: Path) -> Path:
    return folder / "two\nlines\x1b[2J.pem"


def unreadable(folder: Path) -> Path:
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    (path := folder / "closed.pem").write_bytes(trustme.CA().cert_pem.bytes())
    path.chmod(0)
    return path


STALE = [
    *(missing, a_folder, empty, a_text, cut_off, a_key, binary, a_pipe, dangling),
    *(with_a_line_break, unreadable),
]


@pytest.mark.parametrize("operation", [op.GET_BALANCE, PAYMENT], ids=lambda each: each.id)
@pytest.mark.parametrize("stale", STALE)
async def test_a_file_without_certificates_is_named_and_nothing_was_sent(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    stale: Callable[[Path], Path],
    operation: op.Operation,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(stale(tmp_path)))
    transport = Transport(SecretStr(KEY), "https://telnyx.invalid/v2")
    error = await failure_of(transport, operation, body={"amount": "120.00"})
    await transport.aclose()
    assert (error.failure, error.fate) == (Failure.ENVIRONMENT, Fate.NOT_SENT)
    assert "SSL_CERT_FILE: " in str(error)
    assert str(error).isprintable()


def files_without_hashes(folder: Path) -> str:
    trustme.CA().cert_pem.write_to_path(str(folder / "ca.pem"))
    return str(folder)


@pytest.mark.parametrize(
    "value",
    [
        lambda folder: str(folder / "missing"),
        str,
        files_without_hashes,
        lambda folder: str(a_text(folder)),
        lambda folder: f"{folder}{os.pathsep}{folder / 'missing'}",
        lambda _: os.pathsep,
    ],
    ids=["missing", "empty", "without hashes", "a file", "one of two missing", "no name"],
)
def test_a_folder_without_certificates_is_named(
    tmp_path: Path, value: Callable[[Path], str]
) -> None:
    with pytest.raises(TelnyxError, match="SSL_CERT_DIR: ") as raised:
        certificates({"SSL_CERT_DIR": value(tmp_path)})
    assert raised.value.failure is Failure.ENVIRONMENT


@pytest.mark.skipif(shutil.which("openssl") is None, reason="names the files by their hashes")
def test_a_folder_of_certificates_is_used(tmp_path: Path) -> None:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    subprocess.run(("openssl", "rehash", str(tmp_path)), check=True)
    found = certificates({"SSL_CERT_DIR": str(tmp_path)})
    assert found.source == f"SSL_CERT_DIR ({tmp_path})"


def test_the_file_has_precedence_over_the_folder(tmp_path: Path) -> None:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    found = certificates({"SSL_CERT_FILE": str(tmp_path / "ca.pem"), "SSL_CERT_DIR": "/missing"})
    assert found.source == f"SSL_CERT_FILE ({tmp_path / 'ca.pem'})"
    assert len(found.context.get_ca_certs()) == 1, "and over the system's store"


@pytest.mark.parametrize("variables", [{}, {"SSL_CERT_FILE": ""}, {"SSL_CERT_DIR": ""}])
def test_without_a_variable_the_systems_store_is_used(variables: dict[str, str]) -> None:
    found = certificates(variables)
    assert found.context.verify_mode is ssl.CERT_REQUIRED
    assert found.context.check_hostname
    assert ("system's store" in found.source) == system_has_certificates()


@pytest.mark.parametrize(
    ("certificate", "words", "do"),
    [
        (expired, "has expired", "clock"),
        (not_yet_valid, "is not valid yet", "clock"),
        (self_signed, "is self-signed", "SSL_CERT_FILE"),
        (untrusted, "authority that is not trusted", "SSL_CERT_FILE"),
        (without_its_intermediate, "authority that is not trusted", "SSL_CERT_FILE"),
        (for_another_name, "for another name than 127.0.0.1", "TELNYX_BASE_URL"),
    ],
)
async def test_what_is_wrong_with_a_certificate_is_said_in_words(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    certificate: Certificate,
    words: str,
    do: str,
) -> None:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    async with listening(Listener(ANSWER), certificate(ca)) as server:
        transport = Transport(SecretStr(KEY), f"https://127.0.0.1:{server.port}/v2")
        error = await failure_of(transport, PAYMENT, body={"amount": "120.00"})
        await transport.aclose()
    assert (error.failure, error.fate) == (Failure.TLS, Fate.NOT_SENT)
    assert words in str(error)
    assert do in str(error)
    assert f"checked against SSL_CERT_FILE ({tmp_path / 'ca.pem'})" in str(error)


async def test_an_encrypted_answer_that_takes_too_long_is_late_and_not_untrusted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(listening(Listener(b""), right(ca)))
        transport = Transport(
            SecretStr(KEY), f"https://127.0.0.1:{server.port}/v2", sleep=Time().sleep
        )
        stack.push_async_callback(transport.aclose)
        for operation, fate in ((op.GET_BALANCE, Fate.UNKNOWN), (PAYMENT, Fate.UNKNOWN)):
            error = await failure_of(transport, operation, deadline=Deadline.after(0.3))
            assert (error.failure, error.fate) == (Failure.TIMEOUT, fate)

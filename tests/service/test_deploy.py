"""What lies in deploy/: judged by the schemas of Kubernetes, by HAProxy, and by the service itself."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml

from telnyx_mcp.cli.main import main
from telnyx_mcp.service.config import ServiceConfig, config_of
from telnyx_mcp.service.run import STOP_SECONDS
from telnyx_mcp.service.secrets_of import NAMES
from tests.service.test_config import SECRETS

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
KUBERNETES = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
OTHERS_KINDS = {"ServiceMonitor"}
"""Kinds that Kubernetes itself does not know."""


def manifests() -> Iterator[dict[str, Any]]:
    for file in KUBERNETES:
        yield from yaml.safe_load_all(file.read_text("utf-8"))


MANIFESTS = list(manifests())


def manifest(kind: str) -> dict[str, Any]:
    return next(each for each in MANIFESTS if each["kind"] == kind)


def container() -> dict[str, Any]:
    found: dict[str, Any] = manifest("Deployment")["spec"]["template"]["spec"]["containers"][0]
    return found


@pytest.mark.parametrize(
    "document",
    [each for each in MANIFESTS if each["kind"] not in OTHERS_KINDS],
    ids=lambda each: f"{each['kind']} {each['metadata']['name']}",
)
def test_kubernetes_knows_every_field_of_the_manifests(document: dict[str, Any]) -> None:
    kubernetes_validate.validate(document, "1.34", strict=True)


def test_a_misspelt_field_would_be_noticed() -> None:
    wrong = json.loads(json.dumps(manifest("Deployment")))
    wrong["spec"]["template"]["spec"]["terminationGracePeriod"] = 45
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, "1.34", strict=True)


def test_an_old_pod_stops_when_a_new_one_is_ready_and_has_the_time_to() -> None:
    spec = manifest("Deployment")["spec"]
    assert spec["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert spec["template"]["spec"]["terminationGracePeriodSeconds"] > STOP_SECONDS
    assert spec["replicas"] >= 2


def test_the_container_has_no_rights_that_it_does_not_need() -> None:
    security = container()["securityContext"]
    assert security["readOnlyRootFilesystem"]
    assert not security["allowPrivilegeEscalation"]
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert manifest("Deployment")["spec"]["template"]["spec"]["securityContext"]["runAsNonRoot"]


def kubernetes_config() -> ServiceConfig:
    text = manifest("ConfigMap")["data"]["service.toml"]
    return config_of(tomllib.loads(text), "service.toml", {})


def test_the_configmap_is_a_configuration_and_its_ports_are_those_of_the_pod() -> None:
    config = kubernetes_config()
    assert config.metrics_listen
    ports = {each["name"]: each["containerPort"] for each in container()["ports"]}
    assert ports == {"http": config.listen.port, "metrics": config.metrics_listen.port}


def test_a_pod_is_out_of_the_service_before_its_drain_ends() -> None:
    probe = container()["readinessProbe"]
    assert probe["httpGet"]["path"] == "/readyz"
    noticed = probe["periodSeconds"] * probe["failureThreshold"]
    assert noticed < kubernetes_config().drain_seconds
    assert container()["livenessProbe"]["httpGet"]["path"] == "/livez"


def test_no_manifest_holds_a_secret_and_all_of_them_come_from_files() -> None:
    named = {each["name"]: each["value"] for each in container()["env"]}
    assert not any(named.get(name) for name in NAMES)
    for name in SECRETS:
        assert named[f"{name}_FILE"].startswith("/run/secrets/")


def test_metrics_are_reached_through_a_service_of_their_own() -> None:
    by_name = {each["metadata"]["name"]: each for each in MANIFESTS if each["kind"] == "Service"}
    ports = [port["name"] for port in by_name["telnyx-account-mcp"]["spec"]["ports"]]
    assert ports == ["http"]
    chosen = manifest("ServiceMonitor")["spec"]["selector"]["matchLabels"]
    labels = by_name["telnyx-account-mcp-metrics"]["metadata"]["labels"]
    assert chosen.items() <= labels.items()


def test_compose_runs_two_replicas_without_rights_behind_haproxy() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    replicas = [each for name, each in compose["services"].items() if name.startswith("replica-")]
    assert len(replicas) == 2
    for each in replicas:
        assert each["read_only"]
        assert each["cap_drop"] == ["ALL"]
        assert int(each["stop_grace_period"].removesuffix("s")) > STOP_SECONDS
        assert set(each["secrets"]) <= compose["secrets"].keys()
        assert each["healthcheck"]["test"][1:4] == ["telnyx-account-mcp", "service", "health"]
        assert "ports" not in each
    json.loads(
        compose["services"]["identity-provider"]["environment"]["OPTIONS"]
        .replace("${ISSUER:-", "")
        .replace("${PUBLIC_URL:-", "")
        .replace("}/", "/")
        .replace('}"', '"')
    )


@pytest.mark.interop
def test_haproxy_accepts_its_configuration() -> None:
    program = shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("no HAProxy here")
    done = subprocess.run(
        [program, "-c", "-f", str(DEPLOY / "haproxy.cfg")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr


def test_haproxy_notices_before_the_drain_ends() -> None:
    text = (DEPLOY / "haproxy.cfg").read_text("utf-8")
    assert "uri /readyz" in text
    assert "inter 1s fall 2" in text
    example = tomllib.loads((DEPLOY / "service.example.toml").read_text("utf-8"))
    assert example["drain_seconds"] > 2


def test_haproxy_forwards_to_the_replicas_of_compose() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    text = (DEPLOY / "haproxy.cfg").read_text("utf-8")
    for name in ("replica-1", "replica-2"):
        replica = compose["services"][name]
        port = replica["environment"]["TELNYX_MCP_SERVICE_LISTEN"].rpartition(":")[2]
        assert replica["network_mode"] == "service:identity-provider"
        assert f"server {name} identity-provider:{port} " in text


def test_the_configuration_of_the_demo_is_one() -> None:
    text = (DEPLOY / "service.demo.toml").read_text("utf-8")
    assert config_of(tomllib.loads(text), "service.demo.toml", {}).resource.endswith("/mcp")


def test_the_example_passes_the_check(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    file = DEPLOY / "service.example.toml"
    assert main(["service", "--check", "--config", str(file)]) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    assert "two of treasury" in shown.out

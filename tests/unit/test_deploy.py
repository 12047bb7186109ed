"""What deploy/ writes is what the code reads: it parses, every name in it exists, nothing is left open."""

import json
import os
import re
import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from controller.settings import SETTINGS, SettingGroup
from controller.settings_parsers import listen_address
from controller.sidecar.calls import CALLS
from controller.sidecar.http.call import WEBHOOK
from controller.sidecar.http.hosts import host_check
from tests.support.settings import load_settings

MONITORING = Path(__file__).parents[2] / "controller" / "docs" / "monitoring.md"
DEPLOY = Path(__file__).parents[2] / "deploy"
COMPOSE = DEPLOY / "compose"
BASE = DEPLOY / "kubernetes" / "base"
GIT_SYNC = DEPLOY / "kubernetes" / "git-sync"
KINDS = ("ConfigMap", "Deployment")
MANIFESTS = sorted(DEPLOY.glob("**/*.y*ml"))
TEXTS = [
    *MANIFESTS,
    DEPLOY / "Dockerfile",
    DEPLOY / "README.md",
    *sorted((DEPLOY / "systemd").iterdir()),
]
SECRETS = {setting.variable for setting in SETTINGS if setting.secret}
KNOWN = {setting.variable for setting in SETTINGS} | {f"{secret}_FILE" for secret in SECRETS}
ROOM_ID = "69f013c1aa11bb22cc33dd44"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
NGINX = (DEPLOY / "reverse-proxy" / "nginx.conf").read_text()
UNIT = (DEPLOY / "systemd" / "roomctl.service").read_text()


def of_kind(kind: str) -> Iterator[dict[str, Any]]:
    for path in sorted(BASE.iterdir()):
        for document in yaml.safe_load_all(path.read_text()):
            if document["kind"] == kind:
                yield document


def services() -> dict[str, dict[str, Any]]:
    entry: dict[str, dict[str, Any]] = yaml.safe_load((COMPOSE / "compose.yaml").read_text())["services"]
    return entry


def pods() -> list[dict[str, Any]]:
    return [owner["spec"]["template"]["spec"] for owner in of_kind("Deployment")]


def containers() -> list[dict[str, Any]]:
    return [container for pod in pods() for container in pod["containers"]]


def compose_environment() -> dict[str, str]:
    """The controller's, as compose gives it with an empty .env."""
    written = services()["controller"]["environment"]
    return {name: re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value) for name, value in written.items()}


def kubernetes_environment() -> dict[str, str]:
    (container,) = (entry for entry in containers() if entry["name"] == "roomctl")
    return {entry["name"]: entry.get("value", "from-a-secret") for entry in container["env"]}


def systemd_environment() -> dict[str, str]:
    lines = (DEPLOY / "systemd" / "roomctl.env").read_text().splitlines()
    lines += re.findall(r"^Environment=(.+)$", UNIT, re.MULTILINE)
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


ENVIRONMENTS = {
    "compose": compose_environment,
    "kubernetes": kubernetes_environment,
    "systemd": systemd_environment,
}


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(DEPLOY)))
def test_names_only_settings_that_exist(path: Path) -> None:
    named = set(re.findall(r"\b(?:ROOMCTL|LIVEKIT|MONGODB)_[A-Z][A-Z0-9_]*", path.read_text()))
    assert named <= KNOWN


@pytest.mark.parametrize("environment", ENVIRONMENTS.values(), ids=ENVIRONMENTS)
def test_gives_the_controller_settings_that_it_takes(environment: Any, tmp_path: Path) -> None:
    written = environment()
    for name in [name for name in written if name.endswith("_FILE") and name[:-5] in SECRETS]:
        secret = tmp_path / name
        secret.write_text("mongodb://db.example.com\n" if "MONGODB" in name else "a secret\n")
        written[name] = str(secret)
    settings = load_settings({}, written, SettingGroup.ALL)
    assert settings.livekit_api_secret == "a secret"
    assert settings.livekit_url


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: str(path.relative_to(DEPLOY)))
def test_is_yaml(path: Path) -> None:
    assert all(isinstance(document, dict) for document in yaml.safe_load_all(path.read_text()))


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(DEPLOY)))
def test_pins_every_image_to_a_version(path: Path) -> None:
    images = re.findall(r"^ *(?:- )?(?:image:|FROM) *(\S+)", path.read_text(), re.MULTILINE)
    assert all(re.search(r":v?\d[\w.-]*$", image) for image in images)


def test_publishes_of_compose_only_the_public_listener_and_livekit() -> None:
    published = {name: service["ports"] for name, service in services().items() if "ports" in service}
    assert published == {
        "controller": ["127.0.0.1:8080:8080"],
        "livekit": ["127.0.0.1:7880:7880", "7881:7881/tcp", "7882:7882/udp"],
    }


@pytest.mark.parametrize("name", services())
def test_confines_each_container_of_compose(name: str) -> None:
    service = services()[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service.get("read_only") or name == "egress"


def test_gives_compose_each_file_that_it_names(tmp_path: Path) -> None:
    copy_of_compose(tmp_path)
    secrets = yaml.safe_load((COMPOSE / "compose.yaml").read_text())["secrets"]
    assert all((tmp_path / secret["file"]).is_file() for secret in secrets.values())


def copy_of_compose(folder: Path) -> None:
    """compose/ in `folder`, prepared."""
    for path in COMPOSE.iterdir():
        if path.is_file():
            (folder / path.name).write_bytes(path.read_bytes())
    subprocess.run(["sh", folder / "prepare"], check=True, env={"PATH": os.environ["PATH"]})


def test_makes_secrets_once_and_the_files_around_them_each_time(tmp_path: Path) -> None:
    copy_of_compose(tmp_path)
    first = (tmp_path / "secrets" / "livekit_secret").read_text()
    (tmp_path / "secrets" / "livekit.yaml").unlink()
    subprocess.run(["sh", tmp_path / "prepare"], check=True)
    assert (tmp_path / "secrets" / "livekit_secret").read_text() == first
    assert yaml.safe_load((tmp_path / "secrets" / "livekit.yaml").read_text())["keys"] == {
        "roomctl": first.strip()
    }


def test_lets_nobody_else_on_the_machine_into_the_secrets(tmp_path: Path) -> None:
    copy_of_compose(tmp_path)
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700


def test_gives_livekit_one_address_for_its_webhook_whichever_pod_acts() -> None:
    urls = re.findall(r"https?://\S+/livekit/webhook", (BASE / "controller.yaml").read_text())
    (service,) = (entry for entry in of_kind("Service") if entry["metadata"]["name"] == "roomctl-private")
    (namespace,) = of_kind("Namespace")
    (port,) = (port["port"] for port in service["spec"]["ports"] if port["name"] == "private")
    host = f"roomctl-private.{namespace['metadata']['name']}.svc"
    assert urls == [f"http://{host}:{port}/livekit/webhook"]
    (pod,) = (owner for owner in of_kind("Deployment") if owner["metadata"]["name"] == "roomctl")
    assert service["spec"]["selector"] == pod["spec"]["selector"]["matchLabels"]


@pytest.mark.parametrize("environment", ENVIRONMENTS.values(), ids=ENVIRONMENTS)
def test_lets_webhooks_and_probes_pass_the_check_of_the_host(environment: Any) -> None:
    """Only on the loopback is there one; there the webhook is exempt, and the rest is asked by address."""
    texts = "\n".join(path.read_text() for path in TEXTS)
    webhooks = set(re.findall(r"http://([\w.-]+):8081(/\S*?)\"", texts))
    assert webhooks == {
        ("controller", "/livekit/webhook"),
        ("roomctl-private.roomctl.svc", "/livekit/webhook"),
    }
    assert [call.path for call in CALLS if WEBHOOK in call.proofs] == ["/livekit/webhook"]
    listen = environment().get("ROOMCTL_PRIVATE_LISTEN", "127.0.0.1:8081")
    check = host_check(listen_address(listen), (), ("/livekit/webhook",))
    assert (check is not None) == listen.startswith("127.")


def test_patches_for_git_sync_only_what_stands_in_the_base() -> None:
    named = {(entry["kind"], entry["metadata"]["name"]) for kind in KINDS for entry in of_kind(kind)}
    for path in sorted(GIT_SYNC.glob("*.yaml")):
        patch = yaml.safe_load(path.read_text())
        assert patch["kind"] == "Kustomization" or (patch["kind"], patch["metadata"]["name"]) in named


def test_leaves_of_kubernetes_only_the_public_port_open_to_all() -> None:
    (policy,) = (entry for entry in of_kind("NetworkPolicy") if entry["metadata"]["name"] == "roomctl")
    for_all = [rule["ports"] for rule in policy["spec"]["ingress"] if "from" not in rule]
    assert for_all == [[{"port": "public"}]]


@pytest.mark.parametrize("pod", pods(), ids=lambda pod: str(pod["containers"][0]["name"]))
def test_runs_each_pod_without_rights(pod: dict[str, Any]) -> None:
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not pod["automountServiceAccountToken"]


@pytest.mark.parametrize("container", containers(), ids=lambda container: str(container["name"]))
def test_runs_each_container_without_rights(container: dict[str, Any]) -> None:
    context = container["securityContext"]
    assert (context["allowPrivilegeEscalation"], context["capabilities"]) == (False, {"drop": ["ALL"]})
    assert context.get("readOnlyRootFilesystem") or container["name"] == "egress"


def test_ends_a_workers_recordings_wherever_it_is_told_to_end() -> None:
    """By SIGINT: at SIGTERM it waits for its rooms to become empty."""
    (worker,) = (entry for entry in containers() if entry["name"] == "egress")
    assert worker["lifecycle"]["preStop"]["exec"]["command"][-1].startswith("kill -INT 1;")
    assert services()["egress"]["stop_signal"] == "SIGINT"


def test_keeps_queries_and_so_tokens_out_of_every_log_of_the_proxy() -> None:
    _, *servers = re.split(r"^server \{$", NGINX, flags=re.MULTILINE)
    for server in servers:
        assert re.findall(r"access_log .*?(\w+);", server) in (["off"], ["without_ids"])
        assert re.findall(r"error_log \S+ (\w+);", server) == ["emerg"]
    (written,) = re.findall(r"^log_format [^;]*;", NGINX, re.MULTILINE)
    assert not re.search(r"\$(request|request_uri|uri|args|query_string|http_referer)\b", written)


def mapped(variable: str, text: str) -> str:
    """What nginx makes of `text` by the map of `variable`: the first pattern that fits, else its default."""
    (body,) = re.findall(rf"^map \$\w+ \${variable} \{{$(.*?)^\}}$", NGINX, re.MULTILINE | re.DOTALL)
    default, *rules = re.findall(r"""^ +"?~?([^\s"]+)"? +"?([^\s"]+)"?;$""", body, re.MULTILINE)
    assert default[0] == "default"
    for pattern, result in rules:
        if found := re.search(pattern, text):
            return str({"$uri": text, "$1": found.group(found.re.groups)}.get(result, result))
    return text if default[1] == "$remote_addr" else default[1]


def test_logs_of_the_proxy_no_id_and_every_path_of_the_public_listener() -> None:
    for call in CALLS:
        if "public" in call.listeners:
            path = call.path.replace("{id}", ROOM_ID).replace("{name}", "call-1a2b.js")
            assert mapped("logged_path", path) == path.replace(ROOM_ID, "ID")
    for path in ("/join/{}/", "/joins/{}", "/{}", "/JOIN/{}", "/join/assets/x/{}", "/recording/assets/x/{}"):
        assert mapped("logged_path", path.format(ROOM_ID)) in ("(other)", "/join/ID")


def test_limits_the_connections_of_each_client_of_the_proxy() -> None:
    zones = set(re.findall(r"^limit_conn_zone \$client zone=(\w+):", NGINX, re.MULTILINE))
    _, _, rooms, livekit = re.split(r"^server \{$", NGINX, flags=re.MULTILINE)
    limits = re.compile(r"^ +limit_conn (\w+) (\d+);", re.MULTILINE)
    assert (limits.findall(rooms), limits.findall(livekit)) == ([("requests", "64")], [("calls", "500")])
    assert zones == {"requests", "calls"}
    assert mapped("client", "192.0.2.7") == "192.0.2.7"
    assert mapped("client", "2001:db8:1:2:3:4:5:6") == mapped("client", "2001:db8:1:2::9") == "2001:db8:1:2:"


REQUIREMENTS = {"requirements.txt": (), "requirements-embedded.txt": ("embedded",)}
"""What the image installs, and with which extras of pyproject.toml."""


def pinned(name: str) -> dict[str, Requirement]:
    """The packages in a file of pinned requirements, by name."""
    text = re.sub(r"^ *#.*\n", "", (DEPLOY / name).read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    pins: dict[str, Requirement] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        requirement, *hashes = line.split(" --hash=")
        assert hashes
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", given.strip()) for given in hashes), line
        pin = Requirement(requirement)
        assert re.fullmatch(r"==[^*]+", str(pin.specifier)), line
        pins[canonicalize_name(pin.name)] = pin
    return pins


def assert_met(wanted: list[str], pins: Mapping[str, Requirement], python: str) -> None:
    """Each requirement has a version that fits, on Linux on either processor."""
    for machine in ("x86_64", "aarch64"):
        here = {"python_version": python, "sys_platform": "linux", "platform_machine": machine}
        for requirement in map(Requirement, wanted):
            pin = pins[canonicalize_name(requirement.name)]
            assert pin.marker is None or pin.marker.evaluate(here)
            assert requirement.specifier.contains(str(pin.specifier).removeprefix("==")), requirement


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_pins_for_the_image_what_pyproject_requires(name: str) -> None:
    project = tomllib.loads((DEPLOY.parent / "pyproject.toml").read_text())
    wanted = list(project["project"]["dependencies"])
    for extra in REQUIREMENTS[name]:
        wanted += project["project"]["optional-dependencies"][extra]
    (python,) = re.findall(r"python:(\d+\.\d+)-\S+ AS build$", DOCKERFILE, re.MULTILINE)
    assert SpecifierSet(project["project"]["requires-python"]).contains(python)
    assert_met(wanted, pinned(name), python)
    assert_met(project["build-system"]["requires"], pinned("requirements-build.txt"), python)


def test_pins_the_same_versions_with_and_without_the_embedded_store() -> None:
    without, both = pinned("requirements.txt"), pinned("requirements-embedded.txt")
    assert {name: both.get(name) for name in without} == without
    assert {"secantusdb"} <= both.keys() - without.keys()


@pytest.mark.parametrize("path", sorted(DEPLOY.glob("requirements*.txt")), ids=lambda path: str(path.name))
def test_names_no_package_index(path: Path) -> None:
    assert not re.search(r"https?:|--(extra-)?index|--find-links", path.read_text())


def test_installs_into_the_image_only_what_is_pinned() -> None:
    installed = re.findall(
        r"pip (?:--python \S+ )?(?:install|wheel) ([^&\n]*)", DOCKERFILE.replace("\\\n", " ")
    )
    assert len(installed) == 4
    for options in installed:
        assert "--require-hashes" in options or "--no-deps" in options
    assert "PIP_ONLY_BINARY=:all:" in DOCKERFILE
    ignored = (DEPLOY.parent / ".dockerignore").read_text().splitlines()
    assert "!deploy/requirements*.txt" in ignored


def test_lists_every_manifest_of_kubernetes_for_kustomize() -> None:
    listed = yaml.safe_load((BASE / "kustomization.yaml").read_text())["resources"]
    assert {path.name for path in BASE.iterdir()} == {*listed, "kustomization.yaml"}


def test_gives_the_unit_every_credential_that_it_reads() -> None:
    loaded = set(re.findall(r"^LoadCredential=([\w-]+):", UNIT, re.MULTILINE))
    assert set(re.findall(r"_FILE=%d/([\w-]+)", UNIT)) == loaded


def test_alerts_on_metrics_that_exist() -> None:
    rules = yaml.safe_load((DEPLOY / "alerts" / "roomctl.rules.yaml").read_text())["groups"][0]["rules"]
    for rule in rules:
        assert_exported(rule["expr"])


def test_dashboard_asks_for_every_metric_and_for_no_other() -> None:
    panels = json.loads((DEPLOY / "grafana" / "roomctl.json").read_text())["panels"]
    queries = [target["expr"] for panel in panels for target in panel.get("targets", ())]
    for query in queries:
        assert_exported(query)
    asked = {name.removesuffix("_bucket") for query in queries for name in re.findall(r"roomctl_\w+", query)}
    assert asked == set(LABELS)


LABELS = {
    name: set(filter(None, labels.split(",")))
    for name, labels in re.findall(
        r"^\| `(roomctl_\w+)(?:\{([\w,]*)\})?` \|", MONITORING.read_text(), re.MULTILINE
    )
}
"""The labels of each metric, by name; test_docs.py compares the page with the code."""


def assert_exported(query: str) -> None:
    """A query asks for metrics and labels that a controller exports."""
    names = re.findall(r"(roomctl_\w+?)(?:_bucket)?\b(?!\w)", query)
    assert names
    known = set().union(*(LABELS[name] for name in names)) | {"le", "instance"}
    selected = re.findall(r"(\w+)\s*=~?\s*\"", query)
    grouped = [label for group in re.findall(r"by \(([^)]*)\)", query) for label in re.split(r",\s*", group)]
    assert {*selected, *grouped} <= known

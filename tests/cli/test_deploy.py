"""The files that run nurture on a server: sound by their own tools, with nothing in them that should not be."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from nurture.cli.deploy import FILES
from nurture.cli.main import root
from nurture.shipped import folder
from tests.cli.conftest import Shop


def shipped(kind: str) -> str:
    return (folder("deploy") / FILES[kind]).read_text(encoding="utf-8")


def compose() -> dict[str, Any]:
    return dict(YAML(typ="safe").load(shipped("compose")))


@pytest.mark.parametrize("kind", ["dockerfile", "compose"])
def test_they_are_printed_as_they_are_shipped(shop: Shop, kind: str) -> None:
    assert shop("deploy", kind).stdout == shipped(kind)


def test_the_unit_is_of_this_project_and_this_installation(shop: Shop) -> None:
    unit = shop("deploy", "systemd", "--user", "mailer").stdout
    assert f"WorkingDirectory={shop.folder.resolve()}\n" in unit
    assert f"ReadWritePaths={shop.folder.resolve()}\n" in unit
    assert re.search(r"^ExecStart=/\S+/nurture run --http 127.0.0.1:8025$", unit, re.MULTILINE)
    assert "\nUser=mailer\n" in unit
    assert "/srv/nurture" not in unit


def test_a_path_that_systemd_would_read_otherwise_is_refused(tmp_path: Path) -> None:
    odd = tmp_path / "my shop"
    odd.mkdir()
    result = CliRunner().invoke(root, ["--project", str(odd), "deploy", "systemd"])
    assert result.exit_code == 2
    assert "systemd would not take this path" in result.stderr


def test_the_unit_is_watched_restarted_and_given_time_to_drain() -> None:
    unit = dict(line.split("=", 1) for line in shipped("systemd").splitlines() if "=" in line and line[0] != "#")
    assert (unit["Type"], unit["Restart"], unit["NotifyAccess"]) == ("notify", "always", "all")
    assert int(unit["TimeoutStopSec"]) > 30 + 5, "longer than the drain and its last words"
    assert int(unit["WatchdogSec"]) > 30, "longer than a busy database is waited for"
    assert unit["User"] != "root"
    assert {unit[name] for name in unit if name.startswith(("Protect", "Private"))} <= {"true", "strict", "invisible"}


def test_the_image_has_a_pinned_base_no_root_a_healthcheck_and_no_secrets() -> None:
    text = shipped("dockerfile")
    bases = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    assert bases
    assert all(re.fullmatch(r"python:3\.\d+\.\d+-slim-[a-z]+", base) for base in bases), "a patch release, never latest"
    after_last_base = text.rpartition("FROM ")[2]
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", after_last_base, re.MULTILINE)
    assert "HEALTHCHECK" in after_last_base
    assert "/livez" in after_last_base
    assert 'ENTRYPOINT ["nurture"]' in after_last_base, "no shell between the signal and us"
    assert not re.search(r"SECRET|PASSWORD|KEY=|TOKEN", text)
    ignored = (folder("deploy").parents[1] / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert ".*" in ignored, ".env and .git stay out of the image"


def test_the_services_are_pinned_confined_healthy_in_order_and_hold_no_secret() -> None:
    services = compose()["services"]
    for name, service in services.items():
        assert re.fullmatch(r"nurture|postgres:\d+\.\d+-[a-z]+", service["image"]), name
        if service["image"] == "nurture":
            assert service["read_only"] is True, name
            assert service["cap_drop"] == ["ALL"], name
            assert service["security_opt"] == ["no-new-privileges:true"], name
    assert services["run"]["depends_on"] == {"upgrade": {"condition": "service_completed_successfully"}}
    assert services["upgrade"]["depends_on"] == {"db": {"condition": "service_healthy"}}
    assert "healthcheck" in services["db"]
    assert services["run"]["ports"] == ["127.0.0.1:8025:8025"], "nobody reaches it but the proxy on this host"
    assert int(services["run"]["stop_grace_period"].rstrip("s")) > 35
    assert services["db"]["environment"]["POSTGRES_PASSWORD"].startswith("${"), "from the environment"
    assert ":${POSTGRES_PASSWORD:?" in services["run"]["environment"]["NURTURE_DATABASE_URL"]


@pytest.mark.parametrize("name", ["apply", "run", "upgrade"])
def test_what_the_services_call_exists(name: str) -> None:
    assert CliRunner().invoke(root, [*compose()["services"][name]["command"], "--help"]).exit_code == 0


@pytest.mark.lab
def test_systemd_itself_finds_no_fault_in_the_unit(shop: Shop, tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    assert program is not None, "install it: apt-get install systemd"
    unit = tmp_path / "nurture.service"
    unit.write_text(shop("deploy", "systemd").stdout, encoding="utf-8")
    verified = subprocess.run([program, "verify", str(unit)], capture_output=True, text=True, check=False)
    assert (verified.returncode, verified.stderr) == (0, "")
    rated = subprocess.run(
        [program, "security", "--offline=yes", "--threshold=20", str(unit)], capture_output=True, text=True, check=False
    )
    assert rated.returncode == 0, rated.stdout[-300:]


def test_a_linter_finds_no_fault_in_the_image() -> None:
    program = Path(sys.executable).with_name("hadolint")
    done = subprocess.run(
        [program, str(folder("deploy") / FILES["dockerfile"])], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.lab
def test_a_linter_finds_no_error_in_the_services() -> None:
    program = shutil.which("npx")
    assert program is not None, "install it: apt-get install npm"
    command = [program, "--yes", "dclint@3.1.0", "--quiet", str(folder("deploy") / FILES["compose"])]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stdout

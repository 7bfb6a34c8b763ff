"""The import contracts hold, and see what they are there to see: a planted violation of each is reported."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLANTED = (
    ("nornir_upgrade/core/plan.py", "import rollback.manifest.model", "never imports rollback"),
    ("nornir_upgrade/core/errors.py", "import nornir_upgrade.core.transport.host", "no circles"),
    ("nornir_upgrade/steps/ini.py", "import nornir_upgrade.planner.upgrade", "floors of nornir_upgrade"),
    ("rollback/packaging/candidate.py", "import rollback.plan.planner", "floors of rollback"),
    ("rollback/manifest/model.py", "import nornir_upgrade.scenario.model", "rollback judges without"),
    ("nornir_upgrade/steps/files.py", "import paramiko", "only ssh imports"),
    ("nornir_upgrade/cli/main.py", "import nornir", "only fleet imports"),
    ("nornir_upgrade/unnamed.py", "pass", "floors of nornir_upgrade"),
)


def lint(root: Path) -> tuple[int, list[str]]:
    """lint-imports' exit status, and the names of the contracts that it calls broken."""
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [program, "--no-cache", "--verbose"],
        cwd=root,
        env={"PYTHONPATH": str(root), "PATH": "/usr/bin:/bin", "COLUMNS": "250"},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = done.stdout.splitlines()
    return done.returncode, [line for line in lines if " BROKEN" in line or line.startswith("Could not")]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in ("nornir_upgrade", "rollback"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_contracts_hold(copy: Path) -> None:
    assert lint(copy) == (0, [])


@pytest.mark.parametrize(("file", "line", "contract"), PLANTED)
def test_a_planted_violation_is_reported(copy: Path, file: str, line: str, contract: str) -> None:
    path = copy / file
    text = path.read_text() if path.exists() else '"""A module that states no floor."""\n'
    path.write_text(f"{text}\n{line}\n")
    status, broken = lint(copy)
    assert status == 1
    assert any(contract in one for one in broken), broken

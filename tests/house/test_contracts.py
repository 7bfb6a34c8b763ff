"""The import contracts hold, and see what they are there to see: a planted violation of each is reported."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_FLOORS = "floors of"
PLANTED = (
    ("nornir_upgrade/core/plan.py", "import rollback.manifest.model", "never imports rollback"),
    ("rollback/manifest/model.py", "import nornir_upgrade.scenario.model", "rollback judges without"),
    ("nornir_upgrade/steps/files.py", "import paramiko", "only ssh and login"),
    ("nornir_upgrade/cli/main.py", "import nornir", "only fleet imports"),
    # An import that goes up, at each level.
    ("nornir_upgrade/steps/ini.py", "import nornir_upgrade.planner.upgrade", f"{_FLOORS} nornir_upgrade"),
    ("nornir_upgrade/core/errors.py", "import nornir_upgrade.core.transport.host", f"{_FLOORS} core"),
    ("nornir_upgrade/core/transport/sudo.py", "import nornir_upgrade.core.facts.gather", f"{_FLOORS} core"),
    (
        "nornir_upgrade/core/packaging/model.py",
        "import nornir_upgrade.core.packaging.preview",
        f"{_FLOORS} core.packaging",
    ),
    ("rollback/manifest/model.py", "import rollback.plan.planner", f"{_FLOORS} rollback"),
    ("rollback/packaging/candidate.py", "import rollback.packaging.registry", f"{_FLOORS} rollback.packaging"),
    # A circle between two modules of one room, at each level.
    ("rollback/snapshot.py", "import rollback.assess", "no circles"),
    ("nornir_upgrade/core/store.py", "import nornir_upgrade.core.engine", "no circles"),
    ("nornir_upgrade/core/transport/host.py", "import nornir_upgrade.core.transport.ssh", "no circles"),
    ("nornir_upgrade/core/packaging/deb/apt.py", "import nornir_upgrade.core.packaging.deb.rehearsal", "no circles"),
    ("nornir_upgrade/lab/cloud/releases.py", "import nornir_upgrade.lab.cloud.payload", "no circles"),
    ("rollback/solver/encoding.py", "import rollback.solver.nearest", "no circles"),
    ("rollback/packaging/rpm/xml.py", "import rollback.packaging.rpm.primary", "no circles"),
    # One family that imports the other.
    ("nornir_upgrade/core/packaging/deb/apt.py", "import nornir_upgrade.core.packaging.rpm.query", "deb and rpm"),
    (
        "nornir_upgrade/core/packaging/deb/apt.py",
        "import nornir_upgrade.core.packaging.dnf.dnf4",
        f"{_FLOORS} core.packaging",
    ),
    (
        "nornir_upgrade/core/packaging/dnf/dnf4.py",
        "import nornir_upgrade.core.packaging.deb.apt",
        f"{_FLOORS} core.packaging",
    ),
    ("rollback/packaging/deb/clauses.py", "import rollback.packaging.rpm.clauses", f"{_FLOORS} rollback.packaging"),
    ("rollback/packaging/rpm/clauses.py", "import rollback.packaging.deb.clauses", f"{_FLOORS} rollback.packaging"),
    # A module that states no floor.
    ("nornir_upgrade/unnamed.py", "pass", f"{_FLOORS} nornir_upgrade"),
    ("nornir_upgrade/core/unnamed.py", "pass", f"{_FLOORS} core"),
    ("nornir_upgrade/core/packaging/unnamed.py", "pass", f"{_FLOORS} core.packaging"),
    ("rollback/unnamed.py", "pass", f"{_FLOORS} rollback"),
    ("rollback/packaging/unnamed.py", "pass", f"{_FLOORS} rollback.packaging"),
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

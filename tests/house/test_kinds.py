"""A fresh program knows every kind of step: tests that import them all would not see one that nobody registers."""

import subprocess
import sys

import pytest

from nornir_upgrade.core.step import REGISTRY
from nornir_upgrade.steps import registry as registry


@pytest.mark.parametrize("module", ["nornir_upgrade.runner.session", "nornir_upgrade.cli.targets"])
def test_whoever_reads_plans_knows_every_kind(module: str) -> None:
    program = f"import {module}; from nornir_upgrade.core.step import REGISTRY; print(*sorted(REGISTRY))"
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert printed.split() == sorted(kind for kind, step in REGISTRY.items() if step.__module__.startswith("nornir_"))

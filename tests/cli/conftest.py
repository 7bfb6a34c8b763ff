"""Fixtures for the tests of the command line."""

from pathlib import Path

import pytest

from nornir_upgrade import controller, execution

from . import site as stand_ins
from .site import Site


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """Three bare fake hosts, a configuration, and the current directory there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NO_COLOR", raising=False)
    for module, name in ((controller, "_loaded"), (controller, "gather"), (execution, "package_digest")):
        monkeypatch.setattr(module, name, getattr(module, name))  # to be put back afterwards
    stand_ins.stand_in()
    return Site(tmp_path)

"""Fixtures for the tests of the command line."""

from pathlib import Path

import pytest

from nornir_upgrade.runner import session
from tests.cli.site import Site, loaded
from tests.fake import hosts


@pytest.fixture
def _in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The current directory is the test's own, and the fleet the one whose files lie there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(session, "_loaded", loaded)


@pytest.fixture
def site(tmp_path: Path, _in_place: None) -> Site:
    """Three bare fake hosts a, b, c, and a configuration."""
    return Site(tmp_path)


@pytest.fixture
def havana(tmp_path: Path, _in_place: None) -> Site:
    """The four hosts of the example inventory as fakes, on the old release."""
    return Site(tmp_path, hosts.fleet())

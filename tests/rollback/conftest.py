"""The command line of `rollback` over a fleet of fake hosts that can go forward."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from click.testing import CliRunner, Result

from nornir_upgrade.config.settings import Settings
from nornir_upgrade.core.inventory.fleet import FleetHost
from nornir_upgrade.core.packaging.model import digest_of_packages
from nornir_upgrade.runner import execute, session
from rollback import assess, release
from rollback.cli.main import door
from tests.fake import hosts, way_back
from tests.fake.fleet import FakeFleet, open_fleet
from tests.fake.state import HostState


class NamedFleet(FakeFleet):
    """As the command line knows a fleet; `clouds` are what the inventory says, by host."""

    clouds: Mapping[str, str] = MappingProxyType({})

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.hosts)

    @property
    def inventory(self) -> tuple[FleetHost, ...]:
        return tuple(FleetHost(name, (), {"cloud": self.clouds.get(name)}) for name in self.hosts)


class Site(way_back.Site):
    """A directory in which the command line finds a configuration and a fleet that went forward."""

    def __init__(self, directory: Path) -> None:
        (directory / "config.yaml").write_text("user_defined:\n  state: .\n")
        hosts.place(hosts.havana("ctl1", ("nova-conductor", "quantum-server"), ("nova", "quantum")), directory)
        hosts.place(hosts.havana("cmp1", ("nova-compute",)), directory)
        self.start = open_fleet(directory).observable()
        self.shown = NamedFleet(open_fleet(directory, workers=0).hosts.values(), workers=0)
        super().__init__(directory)
        self.fleet = self.shown

    def call(self, *argv: str, code: int = 0, **more: Any) -> Result:
        result = CliRunner().invoke(door, argv, prog_name="rollback", **more)
        assert result.exit_code == code, result.output
        return result

    def json(self, *argv: str, code: int = 0) -> Any:
        return json.loads(self.call(*argv, "-o", "json", code=code).stdout)

    @property
    def present(self) -> Mapping[str, HostState]:
        return self.fleet.observable()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.chdir(tmp_path)
    made = Site(tmp_path)

    @contextmanager
    def loaded(_settings: Settings, limit: str, _workers: int) -> Iterator[NamedFleet]:
        yield NamedFleet([host for name, host in made.fleet.hosts.items() if limit in ("", name)], workers=0)

    monkeypatch.setattr(session, "_loaded", loaded)
    monkeypatch.setattr(execute, "package_digest", lambda host: digest_of_packages(way_back.facts_of(host).packages))
    monkeypatch.setattr(assess, "gather", way_back.facts_of)
    monkeypatch.setattr(assess, "stock", way_back.stock)
    monkeypatch.setattr(release, "stock", way_back.stock)
    return made

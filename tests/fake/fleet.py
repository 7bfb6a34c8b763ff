"""A fleet of fake hosts, as `engine.Fleet` wants it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from nornir_upgrade.core.transport.host import Host
from tests.fake import state
from tests.fake.host import FakeHost

T = TypeVar("T")


class FakeFleet:
    """Hosts by name; `workers` threads, or none at all with `workers=0`: then one host comes after the other.

    A `Crash` in one host's work stops the whole fleet's, as the end of the controller's process does.
    """

    def __init__(self, hosts: Iterable[FakeHost], *, workers: int = 8) -> None:
        self.hosts = {host.name: host for host in hosts}
        self.workers = workers

    def each(self, names: Sequence[str], act: Callable[[Host], T]) -> Mapping[str, T | Exception]:
        """Each host's value, or the exception that it raised."""

        def one(name: str) -> T | Exception:
            try:
                return act(self.hosts[name])
            except Exception as error:
                return error

        if self.workers == 0:
            return {name: one(name) for name in names}
        with ThreadPoolExecutor(self.workers) as pool:
            return dict(zip(names, pool.map(one, names), strict=True))

    def observable(self) -> dict[str, state.HostState]:
        """The state of every host, as far as it matters, to be compared."""
        return {name: state.observable(host.state) for name, host in self.hosts.items()}


def open_fleet(directory: Path, *, workers: int = 8) -> FakeFleet:
    """The fleet whose hosts' states are the files `*.host` in `directory`: what a new controller finds."""
    return FakeFleet((FakeHost(path) for path in sorted(directory.glob("*.host"))), workers=workers)

"""Roster: the hosts that a lab has, kept in its directory with their layers, keys and what ssh knows of them."""

import json
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from nornir_upgrade.core.errors import InvalidInput, UnknownName

from . import base, identity, layers, machine
from .base import Progress
from .errors import LabError
from .host import LabHost


@dataclass(frozen=True, slots=True)
class Member:
    """A host of this lab, with the layers (top first) it resets to and the key they were kept under, if any."""

    host: LabHost
    layers: tuple[Path, ...]
    golden: str | None = None


@dataclass(frozen=True, slots=True)
class Roster:
    """The members of the lab in `directory`, whose bases and layers are in `cache`, reached on `prefix`.N."""

    directory: Path
    prefix: str
    cache: Path
    progress: Progress

    @property
    def ssh_config(self) -> Path:
        """For `ssh -F`, by host name as root; holds key, known hosts and port."""
        return self.directory / "ssh_config"

    @property
    def known_hosts(self) -> Path:
        """Every host's key, under its loopback address and port, its lab address, and its name."""
        return self.directory / "known_hosts"

    @property
    def key(self) -> Path:
        """The private key that root and ops of every host let in."""
        return self.directory / "id_lab"

    def members(self) -> tuple[Member, ...]:
        """All of them; none where there is no lab."""
        record = self.directory / "lab.json"
        if not record.exists():
            return ()
        return tuple(
            Member(LabHost(**row["host"]), tuple(map(Path, row["layers"])), row["golden"])
            for row in json.loads(record.read_text())
        )

    def member(self, name: str) -> Member:
        """Raises `UnknownName`, which lists those there are."""
        members = {member.host.name: member for member in self.members()}
        if name not in members:
            raise UnknownName("lab host", name, tuple(members))
        return members[name]

    def place(self, member: Member) -> Path:
        """The directory of a member: its key, and what it writes."""
        return self.directory / "hosts" / member.host.name

    def base(self, host: LabHost) -> Path:
        """The base that a host stands on, built or not."""
        return base.recipe(host.base).path(self.cache)

    def record(self, *changed: Member) -> None:
        """Afterwards these are members, as they are here; others are as they were."""
        members = {member.host.name: member for member in (*self.members(), *changed)}
        rows = [
            {"host": asdict(member.host), "layers": [str(path) for path in member.layers], "golden": member.golden}
            for member in members.values()
        ]
        machine.write(self.directory / "lab.json", json.dumps(rows, indent=1))

    def join(self, hosts: Sequence[LabHost], golden: str | None) -> tuple[Member, ...]:
        """Afterwards the hosts are members, with keys; the lab's files for ssh name all of them. Returns all members.

        Raises `LabError` where one is there already as another, and `InvalidInput` for a number given twice.
        """
        present = {member.host.name: member.host for member in self.members()}
        for host in hosts:
            if present.get(host.name, host) != host:
                raise LabError(f"{host.name} is in the lab as {present[host.name]}", hint="nornir-upgrade lab down")
        fresh = [host for host in hosts if host.name not in present]
        numbers = [*(host.number for host in present.values()), *(host.number for host in fresh)]
        if twice := {number for number in numbers if numbers.count(number) > 1}:
            raise InvalidInput(f"host numbers given twice: {sorted(twice)}")
        self._build_bases(sorted({host.base for host in fresh}))
        self._make_keys(fresh)
        self.record(*(self._new_member(host, golden) for host in fresh))
        members = self.members()
        fleet = [member.host for member in members]
        machine.write(self.known_hosts, identity.known_hosts(fleet, self.prefix, self.directory / "hosts"))
        machine.write(self.ssh_config, identity.ssh_config(fleet, self.prefix, self.directory))
        return members

    def _build_bases(self, names: Iterable[str]) -> None:
        # Two at a time: a build keeps one core busy.
        with ThreadPoolExecutor(max_workers=2) as pool:
            for _ in pool.map(lambda name: base.build(base.recipe(name), self.cache, self.progress), names):
                pass

    def _make_keys(self, fresh: Iterable[LabHost]) -> None:
        identity.make_key(self.key, "lab")
        for host in fresh:
            place = self.directory / "hosts" / host.name
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
            identity.make_key(identity.host_key(place), host.name)

    def _new_member(self, host: LabHost, golden: str | None) -> Member:
        below = self.base(host)
        kept = layers.find(self.cache, golden, host.name, below) if golden else None
        return Member(host, kept, golden) if kept else Member(host, (below,))

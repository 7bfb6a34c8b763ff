"""A controller's directory for the lab's fleet, and the two command lines as an operator types them."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nornir_upgrade.core.facts.compare import AREAS
from nornir_upgrade.lab.lab import Lab

BIN = Path(sys.executable).parent
FAULTS = "/run/lab-fault"
SCENARIO = "service-by-service"
DATABASES = ("keystone", "glance", "nova", "quantum", "cinder")
GROUPS = {"ctl1": ("control", "db"), "net1": ("network",), "cmp1": ("compute",), "cmp2": ("compute",)}
RPM_GROUPS = {"rctl1": ("control", "db", "rpm"), "rcmp1": ("compute", "rpm"), "rcmp2": ("compute", "rpm")}
BOTH = GROUPS | RPM_GROUPS
ONE = ("--limit", "cmp1")
"""A run of three waves on one host, which is over in a few seconds."""
NOT_KEPT = {"keep": "none"}
"""Settings with which what is gone from the archive is gone."""


@dataclass(frozen=True, slots=True)
class Done:
    """A command that ended."""

    argv: tuple[str, ...]
    status: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """Both streams."""
        return self.out + self.err

    @property
    def document(self) -> Any:
        """What -o json printed."""
        return json.loads(self.out)


class Going:
    """A command that is under way, in a session of its own: no signal of a terminal reaches it but those sent here."""

    def __init__(self, site: "Site", argv: tuple[str, ...], streams: Path, environment: Mapping[str, str]) -> None:
        self._site, self._argv = site, argv
        self._out, self._err = streams.with_suffix(".out"), streams.with_suffix(".err")
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                argv,
                cwd=site.directory,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        """Both streams, as far as they have come."""
        return self._out.read_text() + self._err.read_text()

    def end(self, timeout: float = 180.0) -> Done:
        """How it ended; killed where that takes longer than `timeout` seconds."""
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self._argv} took longer than {timeout} s:\n{self.said}") from None
        done = Done(self._argv, status, self._out.read_text(), self._err.read_text())
        self._site.typed.append(done)
        return done

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """Afterwards the controller is gone, as by `kill -9`."""
        self.process.kill()
        self.process.wait()


@dataclass(slots=True)
class Site:
    """A directory with config.yaml and inventory for the lab's fleet, or for hosts with other `roles` (host -> groups).

    `typed` is every command that ended there; one that takes longer than `patience` seconds fails.
    """

    directory: Path
    lab: Lab
    roles: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: GROUPS)
    patience: float = 180.0
    typed: list[Done] = field(default_factory=list)
    _going: list[Going] = field(default_factory=list)

    @property
    def state(self) -> Path:
        return self.directory / ".state"

    # ------------------------------------------------------------------ configuration

    def configure(
        self,
        *,
        connection: Mapping[str, Any] | None = None,
        hosts: Mapping[str, Mapping[str, Any]] | None = None,
        ours: Mapping[str, Any] | None = None,
        transform: str = "",
    ) -> None:
        """Afterwards config.yaml and inventory stand here. YAML is a superset of JSON.

        `connection` replaces what the group says of how to log in, `hosts` adds to single hosts, `ours` to our settings.
        """
        by_key = {
            "username": "root",
            "extras": {
                "use_keys": True,
                "key_file": str(self.lab.key),
                "allow_agent": False,
                **self.known_hosts(self.lab.known_hosts),
            },
        }
        how = connection if connection is not None else by_key
        options = {"netmiko": {"platform": "linux", "extras": how.get("extras", {})}}
        login = {name: how[name] for name in ("username", "password") if name in how}
        groups: dict[str, Any] = {"lab": {"port": 10022, **login, "connection_options": options}}
        groups |= {name: {} for roles in self.roles.values() for name in roles}
        if "rpm" in groups:
            groups["rpm"] = {"data": {"cloud": "rpm"}}
        inventory = self.directory / "inventory"
        inventory.mkdir(exist_ok=True)
        addresses = {one.name: one.address for one in self.lab.status()}
        entries = {
            name: {"hostname": addresses[name], "groups": ["lab", *roles], **(hosts or {}).get(name, {})}
            for name, roles in self.roles.items()
        }
        for name in ("ctl1", "rctl1"):
            if name in entries:
                entries[name]["data"] = {"databases": list(DATABASES)}
        files = {f"{name}_file": f"inventory/{name}.yaml" for name in ("host", "group")}
        section: dict[str, Any] = {"plugin": "SimpleInventory", "options": files}
        if transform:
            section["transform_function"] = transform
        documents = {
            "config.yaml": {"inventory": section, "user_defined": {"state": ".state", **(ours or {})}},
            "inventory/host.yaml": entries,
            "inventory/group.yaml": groups,
        }
        for name, document in documents.items():
            (self.directory / name).write_text(json.dumps(document, indent=2))

    @staticmethod
    def known_hosts(file: Path) -> dict[str, Any]:
        """Among the extras of a connection: host keys are those in `file`, and no others."""
        return {"ssh_strict": True, "system_host_keys": False, "alt_host_keys": True, "alt_key_file": str(file)}

    # ------------------------------------------------------------------ commands

    def upgrade(self, *argv: str, status: int = 0, environment: Mapping[str, str] | None = None) -> Done:
        """Type `nornir-upgrade …`, which must end with `status`."""
        return self._type(("nornir-upgrade", *argv), status, environment)

    def rollback(self, *argv: str, status: int = 0, environment: Mapping[str, str] | None = None) -> Done:
        """Type `rollback …`, which must end with `status`."""
        return self._type(("rollback", *argv), status, environment)

    def forward(self, *argv: str, status: int = 0) -> Done:
        """Type `nornir-upgrade run service-by-service --yes …`."""
        return self.upgrade("run", SCENARIO, "--yes", *argv, status=status)

    def start(self, program: str, *argv: str, environment: Mapping[str, str] | None = None) -> Going:
        """Type a command, and do not wait for its end."""
        streams = self.directory / f"typed-{len(self._going)}"
        going = Going(self, (str(BIN / program), *argv), streams, os.environ | dict(environment or {}))
        self._going.append(going)
        return going

    def _type(self, argv: tuple[str, ...], status: int, environment: Mapping[str, str] | None) -> Done:
        done = self.start(*argv, environment=environment).end(self.patience)
        assert done.status == status, f"{' '.join(argv)} ended with {done.status}:\n{done.said}"
        return done

    def close(self) -> None:
        """Afterwards none of the commands is under way."""
        for going in self._going:
            if going.process.poll() is None:
                going.kill()

    # ------------------------------------------------------------------ the journal, as anyone reads it

    def runs(self) -> list[dict[str, Any]]:
        """Every run, oldest first."""
        found: list[dict[str, Any]] = self.upgrade("history", "-o", "json").document["runs"]
        return found

    # ------------------------------------------------------------------ hosts

    def plant(self, host: str, fault: str, text: str = "") -> None:
        """`fault` is `slow-PACKAGE` with seconds, or `fail-PACKAGE` with a release or nothing."""
        self.lab.run(host, ["sh", "-c", 'mkdir -p "${1%/*}" && cat > "$1"', "sh", f"{FAULTS}/{fault}"], text.encode())

    def mend(self, host: str) -> None:
        """Afterwards no fault is planted on the host."""
        self.lab.run(host, ["rm", "-rf", FAULTS])

    def await_script(self, host: str, package: str) -> None:
        """Afterwards apt is at work on the host: dpkg runs the postinst of `package`, which a fault makes slow."""
        pattern = f"[d]pkg/info/{package}.postinst"
        self.await_true(lambda: self.lab.run(host, ["pgrep", "-f", pattern], check=False).returncode == 0)

    def await_true(self, holds: Callable[[], bool], timeout: float = 60.0) -> None:
        """Afterwards `holds`; an AssertionError with all that was said where it does not in time."""
        deadline = time.monotonic() + timeout
        while not holds():
            said = "\n".join(going.said for going in self._going[-2:])
            assert time.monotonic() < deadline, f"did not come true within {timeout} s:\n{said}"
            time.sleep(0.1)

    def text(self, host: str, *argv: str) -> str:
        """What a command on the host prints, whatever its status."""
        return self.lab.run(host, argv, check=False).stdout.decode(errors="surrogateescape")

    def transactions(self, host: str, package: str = "") -> int:
        """How many transactions apt's own history on the host tells of, of all packages or of one."""
        history = self.text(host, "cat", "/var/log/apt/history.log")
        return sum(package in entry for entry in history.split("\n\n") if "Start-Date" in entry)

    def sql(self, statement: str, host: str = "ctl1") -> list[str]:
        """The rows that the statement returns on the database host."""
        done = self.lab.run(host, ["mariadb", "--skip-column-names"], statement.encode())
        return done.stdout.decode().splitlines()


def hosts_of(said: str, names: Sequence[str] = tuple(GROUPS)) -> set[str]:
    """The hosts that a text names."""
    return {name for name in names if name in said}


def assert_equal(said: str, hosts: int) -> None:
    """The table of a proof says of each area and host that it is equal, or that nobody looked where there is nothing to look at."""
    rows = [re.split(r" {2,}", row.strip()) for row in said.split("\n\n")[0].splitlines()[1:]]
    assert [area for area, *_ in rows] == list(AREAS) and {len(row) for row in rows} == {hosts + 1}, said
    for area, *cells in rows:
        other = {cell for cell in cells if not re.fullmatch(r"equal \([0-9,]+\)", cell)}
        assert other <= ({"not compared"} if area in _NOT_EVERYWHERE else set()), said
        assert area not in ("packages", "etc", "accounts", "units") or "equal (0)" not in cells, said


_NOT_EVERYWHERE = ("databases", "diversions", "statoverrides", "debconf", "dpkg")
"""What only some hosts have: databases, and what only dpkg's hosts know."""

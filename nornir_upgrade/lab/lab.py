"""Lab: a fleet of real hosts on this machine, up in seconds, down without a trace."""

import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from nornir_upgrade.core.errors import CommandFailed, TimedOut
from nornir_upgrade.core.transport.host import quote

from . import control, identity, launch, layers, machine
from .base import Progress
from .errors import LabError
from .host import SSH_PORT, HostStatus, LabHost
from .roster import Member, Roster

_BOOT_SECONDS = 60.0
_POWER_OFF_SECONDS = 60.0
_KNOCKS = 5
_SUDO = """IFS= read -r password; printf '%s\\n' "$password" | sudo -S -p '' -v && sudo -n -- "$@\""""
# A loaded host may close a connection before a word was said: nothing was begun, and it may be tried again.
_SSH_FAILED, _NOT_LET_IN = 255, b"kex_exchange_identification"


class Lab:
    """The lab in `directory`, reached on the loopback addresses `prefix`.N, with its bases and layers in `cache`.

    Several labs can run at once, each with a directory and a prefix of its own. All need root.
    Methods raise LabError, TimedOut, UnknownName and InvalidInput.
    """

    def __init__(
        self,
        directory: Path,
        *,
        prefix: str = "127.99.0",
        cache: Path | None = None,
        progress: Progress = lambda _: None,
    ) -> None:
        self.directory = Path(directory).absolute()
        self.prefix = prefix
        self.cache = Path(cache).absolute() if cache else machine.default_cache()
        self._progress = progress
        self._roster = Roster(self.directory, prefix, self.cache, progress)
        identity.check_path(self.directory)

    @property
    def repositories(self) -> Path:
        """The directory that hosts see as http://10.99.0.1:8000/; there from the first `up` on."""
        return self.directory / "repositories"

    @property
    def ssh_config(self) -> Path:
        """For `ssh -F`, by host name as root; holds key, known hosts and port."""
        return self._roster.ssh_config

    @property
    def known_hosts(self) -> Path:
        """Every host's key, under its loopback address and port, its lab address, and its name."""
        return self._roster.known_hosts

    @property
    def key(self) -> Path:
        """The private key that root and ops of every host let in."""
        return self._roster.key

    @property
    def password_file(self) -> Path:
        """Holds the password of sudo of hosts where the lab does not log in as root."""
        return self.directory / "password"

    def up(self, hosts: Sequence[LabHost], *, golden: str | None = None) -> None:
        """Afterwards these hosts are members, and every member runs, has booted, and answers ssh.

        Hosts that run already are left as they are; what a crash left half done is finished. A new member starts from its
        layers kept under the key `golden`, where there are any for its present base, else from its base.
        """
        machine.check(
            len({*(member.host.number for member in self._roster.members()), *(host.number for host in hosts)})
        )
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        machine.check_directory(self.directory)
        with self._alone() as lock:
            self.repositories.mkdir(exist_ok=True)
            members = self._roster.join(hosts, golden)
            launch.start(self.directory, self.cache, lock)
            running = {name for name, state in self._states().items() if state["state"] == "running"}
            for name in running:
                self._ask("link", name=name, up=True)
            self._boot([member for member in members if member.host.name not in running])
            self._introduce([member for member in members if member.host.name in running], members)

    def down(self, *, purge: bool = False) -> None:
        """Afterwards nothing of the lab is left: no process, mount, namespace, cgroup or file; with `purge` no cache either.

        Twice is once. A lab that crashed, whenever it did, goes down as well.
        """
        if self.directory.is_dir():
            machine.check_directory(self.directory)
            with self._alone():
                launch.end(self.directory)
                machine.remove_tree(self.directory)
        layers.prune(self.cache)
        if purge:
            layers.purge(self.cache)

    def status(self) -> tuple[HostStatus, ...]:
        """Every member as it is now; empty where there is no lab."""
        states = self._states() if launch.alive(self.directory) else {}
        return tuple(
            HostStatus(
                name=member.host.name,
                base=member.host.base,
                address=f"{self.prefix}.{member.host.number}",
                port=SSH_PORT,
                state=states.get(member.host.name, {}).get("state", "stopped"),
                linked=states.get(member.host.name, {}).get("linked", True),
                golden=member.golden,
            )
            for member in self._roster.members()
        )

    def frozen(self, key: str, hosts: Iterable[LabHost]) -> bool:
        """Whether each of the hosts would start from a layer that was kept under `key`."""
        return all(layers.find(self.cache, key, host.name, self._roster.base(host)) for host in hosts)

    def freeze(self, key: str, names: Sequence[str]) -> None:
        """Afterwards the hosts' present state is what they reset to, kept in the cache under `key`, and they run from it.

        They are powered off cleanly in between. Files of the identity layer (/etc/hosts, /etc/hostname, /etc/ssh/ssh_known_hosts,
        authorized_keys) stay the lab's own.
        """
        members = [self._roster.member(name) for name in names]
        with self._alone():
            self._each(members, self._power_off)
            for member in members:
                kept = layers.keep(
                    self.cache, key, member.host.name, self._roster.place(member) / "upper", member.layers
                )
                self._roster.record(replace(member, layers=kept, golden=key))
                self._discard(member)
            self._boot([self._roster.member(name) for name in names])

    def reset(self, *names: str) -> None:
        """Afterwards the hosts run in their golden state (their base, if never frozen): all they wrote since is gone."""
        members = [self._roster.member(name) for name in names]
        with self._alone():
            for member in members:
                if member.host.name in self._states():
                    self._ask("kill", name=member.host.name)
                self._discard(member)
            self._boot(members)

    def kill(self, name: str) -> None:
        """Afterwards the host is off, as by a power failure."""
        self._ask("kill", name=self._roster.member(name).host.name)

    def power_off(self, name: str) -> None:
        """Afterwards the host is off, shut down in order."""
        self._power_off(self._roster.member(name))

    def start(self, *names: str) -> None:
        """Afterwards the hosts run, have booted, and answer ssh."""
        members = [self._roster.member(name) for name in names]
        with self._alone():
            states = self._states()
            self._boot([member for member in members if states.get(member.host.name, {}).get("state") != "running"])

    def link(self, name: str, up: bool) -> None:
        """Afterwards the host is plugged into the network, or cut off from all others and from this machine."""
        self._ask("link", name=self._roster.member(name).host.name, up=up)

    def run(
        self, name: str, argv: Sequence[str], input: bytes = b"", *, check: bool = True, timeout: float = 600.0
    ) -> subprocess.CompletedProcess[bytes]:
        """Runs a command on the host as root, with its output as bytes. `timeout` is in seconds.

        Raises CommandFailed unless it ended with 0 or `check` is false, TimedOut when it took too long.
        """
        command, stdin = self._as_root(self._roster.member(name), argv, input)
        for _ in range(_KNOCKS):
            done = self._ssh(name, command, stdin, timeout)
            if done.returncode != _SSH_FAILED or _NOT_LET_IN not in done.stderr:
                break
            time.sleep(0.5)
        if check and done.returncode != 0:
            raise CommandFailed(
                name, quote(argv), done.returncode, (done.stdout + done.stderr).decode(errors="replace")
            )
        return done

    def _as_root(self, member: Member, argv: Sequence[str], stdin: bytes) -> tuple[Sequence[str], bytes]:
        """The command and its input for the host's login. A password comes first in the input; `read` takes no byte more."""
        if member.host.login == "root":
            return argv, stdin
        password = self.password_file.read_bytes() if self.password_file.exists() else b""
        return ("sh", "-c", _SUDO, "sh", *argv), password + b"\n" + stdin

    def _ssh(self, name: str, argv: Sequence[str], stdin: bytes, timeout: float) -> subprocess.CompletedProcess[bytes]:
        command = ["ssh", "-F", str(self.ssh_config), name, "--", quote(argv)]
        try:
            return subprocess.run(command, input=stdin, capture_output=True, check=False, timeout=timeout)
        except subprocess.TimeoutExpired:
            raise TimedOut(f"{name}: {quote(argv)} took longer than {timeout:g} s") from None

    # --- power

    def _boot(self, members: Sequence[Member]) -> None:
        if members:
            self._progress(f"starting {', '.join(member.host.name for member in members)}")
        for member in members:
            self._prepare(member)
            self._power_on(member)
        self._each(members, self._await_boot)

    def _discard(self, member: Member) -> None:
        """Afterwards the host, which is down, has written nothing. In one step: a host never boots with half of it gone."""
        upper, discarded = self._roster.place(member) / "upper", self._roster.place(member) / "discarded"
        if discarded.exists():
            shutil.rmtree(discarded)
        if upper.exists():
            upper.rename(discarded)
            shutil.rmtree(discarded)

    def _prepare(self, member: Member) -> None:
        """Afterwards the directory of a host that is down holds all that data/host.sh needs."""
        place = self._roster.place(member)
        if gone := [path for path in member.layers if not path.is_dir()]:
            raise LabError(f"{member.host.name}: its layer {gone[0]} is gone", hint="lab down, then lab up")
        for name in ("upper", "work", "root", "lower"):
            (place / name).mkdir(mode=0o755, exist_ok=True)
        for old in (place / "lower").iterdir():
            old.unlink()
        for index, layer in enumerate(member.layers):
            (place / "lower" / f"{index:02}").symlink_to(layer)
        fleet = [other.host for other in self._roster.members()]
        identity.write_layer(member.host, place, fleet, self.key, self.known_hosts.read_text())

    def _power_on(self, member: Member) -> None:
        name, number = member.host.name, member.host.number
        if name in self._states():
            self._ask("up", name=name, number=number)
            return
        # Made here, in this machine's network namespace; the supervisor, in the lab's, accepts and forwards.
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind((f"{self.prefix}.{number}", SSH_PORT))
            except OSError as error:
                raise LabError(
                    f"{self.prefix}.{number}:{SSH_PORT} cannot be used for {name}: {error.strerror}",
                    hint="another lab may be using the addresses: take it down, or choose another prefix",
                ) from None
            listener.listen(128)
            control.ask(
                self.directory, {"command": "up", "name": name, "number": number}, descriptors=[listener.fileno()]
            )

    def _power_off(self, member: Member) -> None:
        self._ask("poweroff", name=member.host.name, timeout=_POWER_OFF_SECONDS)

    def _await_boot(self, member: Member) -> None:
        name, deadline = member.host.name, time.monotonic() + _BOOT_SECONDS
        patience = 0.1  # a lost SYN is repeated after a second only, a new connection sends a new one
        while not machine.greets(f"{self.prefix}.{member.host.number}", SSH_PORT, patience):
            state = self._states().get(name, {})
            if state.get("state") != "running" or time.monotonic() > deadline:
                console = (self._roster.place(member) / "console.log").read_text(errors="replace").splitlines()[-10:]
                said = "\n".join([state.get("failure") or f"no ssh within {_BOOT_SECONDS:g} s", *console])
                raise LabError(f"{name} did not come up: {said}")
            time.sleep(0.05)
            patience = min(patience * 1.5, 2.0)
        self.run(name, ["systemctl", "is-system-running", "--wait"], check=False, timeout=_BOOT_SECONDS)

    def _introduce(self, running: Sequence[Member], members: Sequence[Member]) -> None:
        """Afterwards hosts that were running before others joined know those; a host that boots knows all anyway."""
        known = self.known_hosts.read_text()
        files = {"/etc/hosts": identity.hosts_file(m.host for m in members), "/etc/ssh/ssh_known_hosts": known}

        def tell(member: Member) -> None:
            self._await_boot(member)
            if (self._roster.place(member) / "identity/etc/ssh/ssh_known_hosts").read_text() != known:
                for path, text in files.items():
                    self.run(member.host.name, ["tee", path], text.encode())

        self._each(running, tell)

    # --- means

    def _states(self) -> Mapping[str, Mapping[str, Any]]:
        states: Mapping[str, Mapping[str, Any]] = self._ask("status")["hosts"]
        return states

    def _ask(self, command: str, **arguments: Any) -> control.Message:
        patience = arguments.get("timeout", 0.0) + 60.0
        try:
            return control.ask(self.directory, {"command": command, **arguments}, timeout=patience)
        except OSError as error:
            raise LabError(f"the lab in {self.directory} is not up: {error}", hint="nornir-upgrade lab up") from None

    def _each(self, members: Iterable[Member], work: Callable[[Member], None]) -> None:
        with ThreadPoolExecutor(max_workers=8) as pool:
            for _ in pool.map(work, members):
                pass

    @contextmanager
    def _alone(self) -> Iterator[int]:
        with machine.locked(self.directory) as lock:
            yield lock

"""Base root file systems: built once with mmdebstrap, kept in the cache, shared by all hosts as their lowest layer."""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from . import web
from .errors import LabError
from .host import ARCHIVE
from .mirror import Mirror

Progress = Callable[[str], None]

TOOLS: Mapping[str, str] = {
    "mmdebstrap": "mmdebstrap",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "ip": "iproute2",
    "apt-ftparchive": "apt-utils",
    "gpg": "gnupg",
    "unshare": "util-linux",
}
"""Command on this machine -> the Debian package that brings it."""

_NODE = (
    *("openssh-server", "systemd", "systemd-sysv", "dbus", "python3-minimal", "iproute2", "procps", "sudo"),
    *("python3-pymysql", "ca-certificates", "less", "curl"),
    *("netbase", "tzdata", "cron", "logrotate", "rsync", "jq", "tree", "file"),  # what ordinary hosts carry besides
)
# What a control node carries besides its services: with what they need 500 packages, and no daemon.
_LIBRARIES = (
    *("python3-barbican", "python3-ceilometer", "python3-cinder", "python3-designate", "python3-django-horizon"),
    *("python3-glance", "python3-heat", "python3-keystone", "python3-neutron", "python3-nova", "python3-octavia"),
    *("python3-openstackclient", "python3-swift", "mariadb-client"),
)
# As the installer leaves a server: its standard packages come with the recipe, these are what its tasks and most admins add.
_ORDINARY = (
    *(
        "task-ssh-server",
        "systemd",
        "systemd-sysv",
        "dbus",
        "libpam-systemd",
        "locales",
        "tzdata",
        "iproute2",
        "procps",
    ),
    *("ca-certificates", "curl", "exim4-daemon-light", "bsd-mailx", "cron", "rsyslog", "logrotate", "sudo", "polkitd"),
    *("ufw", "nftables", "unattended-upgrades", "apt-listchanges", "needrestart", "etckeeper", "apparmor", "python3"),
)
# Debian's build of what makes an RPM host; createrepo and gpg are for the repositories, which are made inside the base.
_RPM = (*_NODE, "rpm", "dnf", "dnf-plugins-core", "createrepo-c", "gpg", "gpg-agent")
_RPM_SCRIPTS = ("base.sh", "rpm.sh")
_EXCLUDED = ("/usr/share/man/*", "/usr/share/locale/*", "/usr/share/doc/*")
_RECOMMENDED = ('--aptopt=APT::Install-Recommends "true"', "--dpkgopt=force-unsafe-io")


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a base is made of. Two recipes with the same digest make the same kind of base."""

    name: str
    suite: str
    packages: tuple[str, ...]
    scripts: tuple[str, ...] = ("base.sh",)
    """Those of lab/data that set it up, in this order."""
    ordinary: bool = False
    """As Debian's installer leaves a host: with standard and recommended packages, documentation, and the archive's indexes."""

    @property
    def digest(self) -> str:
        """16 hexadecimal digits over everything that goes in, the set-up scripts' text included."""
        named = {"name": self.name, "suite": self.suite, "packages": self.packages}
        ingredients = json.dumps([named, self.selection, self.set_up], sort_keys=True)
        return hashlib.sha256(ingredients.encode()).hexdigest()[:16]

    @property
    def selection(self) -> Sequence[str]:
        """What of Debian goes in besides the packages; of an ordinary host, mmdebstrap's words for it, else what is left out."""
        return ("--variant=standard", *_RECOMMENDED) if self.ordinary else _EXCLUDED

    @property
    def set_up(self) -> str:
        """What is run in it once its packages are there, by `sh -eu`."""
        return "\n".join(files("nornir_upgrade.lab").joinpath("data", name).read_text() for name in self.scripts)

    def path(self, cache: Path) -> Path:
        """Where the finished base lies in the cache, whether or not it has been built."""
        return cache / "bases" / f"{self.name}-{self.digest}"


RECIPES: Mapping[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe("node", "bookworm", _NODE),
        Recipe("db", "bookworm", (*_NODE, "mariadb-server")),
        Recipe("cloud", "bookworm", (*_NODE, "mariadb-server", "nginx", "keystone")),  # real services, not stand-ins
        # Ansible's package_facts asks python3-apt on the host.
        Recipe("bench", "bookworm", (*_NODE, *_LIBRARIES, "python3-apt")),
        Recipe("ordinary", "bookworm", _ORDINARY, ("base.sh", "ordinary.sh"), ordinary=True),
        Recipe("rpm", "bookworm", _RPM, _RPM_SCRIPTS),
        Recipe("rpm-db", "bookworm", (*_RPM, "mariadb-server"), _RPM_SCRIPTS),
    )
}


def recipe(name: str) -> Recipe:
    """The recipe of that name; raises LabError, listing those there are."""
    if name not in RECIPES:
        raise LabError(f"no base is called {name!r}", hint=f"known bases: {', '.join(sorted(RECIPES))}")
    return RECIPES[name]


def missing_tools() -> tuple[str, ...]:
    """The Debian packages, sorted, that this machine lacks to build and run a lab."""
    return tuple(sorted({package for command, package in TOOLS.items() if shutil.which(command) is None}))


def require_tools() -> None:
    """Raises LabError naming the Debian packages this machine lacks, and the command that installs them."""
    if missing := missing_tools():
        raise LabError(
            f"the lab needs Debian packages that are not installed: {', '.join(missing)}",
            hint=f"apt-get install --no-install-recommends {' '.join(missing)}",
        )


def build(wanted: Recipe, cache: Path, progress: Progress) -> Path:
    """Afterwards the base is in the cache, whole: it is built beside its place and renamed. Returns its directory.

    A base that is there is not built again. A second process that wants the same base waits for the first.
    Raises LabError with the last lines of mmdebstrap's output when it fails.
    """
    done = wanted.path(cache)
    if done.is_dir():
        return done
    with only_one(done):
        if not done.is_dir():
            partial = done.with_name(f"{done.name}.partial")
            shutil.rmtree(partial, ignore_errors=True)
            progress(
                f"base {wanted.name}: building {wanted.suite} with {len(wanted.packages)} packages and what they need"
            )
            with _archive(wanted, cache, progress) as environment:
                _bootstrap(wanted, partial, environment, progress)
                _set_up(wanted, partial, environment)
            partial.rename(done)
            progress(f"base {wanted.name}: ready")
    return done


@contextmanager
def only_one(path: Path) -> Iterator[None]:
    """One process at a time makes `path`; the others wait."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.with_name(f"{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _archive(wanted: Recipe, cache: Path, progress: Progress) -> Iterator[Mapping[str, str]]:
    """The environment in which the archive of an ordinary host is had under the address that hosts see; else this process's."""
    if not wanted.ordinary:
        yield os.environ
        return
    with tempfile.TemporaryDirectory() as nothing:
        found = Mirror(cache, cache / "mirror" / "picture", tell=progress)
        with web.proxy(Path(nothing), found) as url:
            yield {**os.environ, "http_proxy": url, "LC_ALL": "C"}


def _bootstrap(wanted: Recipe, root: Path, environment: Mapping[str, str], progress: Progress) -> None:
    # In namespaces of its own that die with this process: an interrupted build leaves neither processes nor mounts.
    argv = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--mount-proc"]
    argv += ["--kill-child=SIGKILL", "--propagation", "private", "mmdebstrap", "--mode=root"]
    excluded = ["--variant=minbase", *(f"--dpkgopt=path-exclude={pattern}" for pattern in _EXCLUDED)]
    argv += wanted.selection if wanted.ordinary else excluded
    argv += [f"--include={','.join(wanted.packages)}", wanted.suite, str(root)]
    argv += [f"deb {ARCHIVE}/debian {wanted.suite} main"] if wanted.ordinary else []
    last: deque[str] = deque(maxlen=15)
    with subprocess.Popen(
        argv,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            last.append(line.rstrip())
            if line.startswith("I: "):
                progress(f"base {wanted.name}: {line[3:].rstrip()}")
    if process.returncode != 0:
        raise LabError(
            f"mmdebstrap could not build the base {wanted.name} (exit {process.returncode}):\n" + "\n".join(last),
            hint="the lab needs a Debian mirror once, to build its bases",
        )


def _set_up(wanted: Recipe, root: Path, environment: Mapping[str, str]) -> None:
    argv = ["chroot", str(root), "/bin/sh", "-eu"]
    done = subprocess.run(argv, env=environment, input=wanted.set_up, text=True, capture_output=True, check=False)
    if done.returncode != 0:
        raise LabError(f"the base {wanted.name} could not be set up (exit {done.returncode}):\n{done.stderr}")

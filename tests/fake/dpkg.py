"""dpkg as a fake host has it: each package opened, unpacked, configured, removed or purged in a step of its own.

Between two of these a host may lose power, and the states are then those that dpkg would report: half-installed with
reinst-required at the old version, unpacked, half-configured.
"""

from hashlib import md5

from nornir_upgrade.core.packaging.deb import transaction
from tests.fake import files, systemd
from tests.fake.index import Offer, Relation, offer_of, satisfies
from tests.fake.state import NOTHING_DONE, File, HostState, Installed, Service

OBSOLETE = " obsolete"
POLICY = transaction.POLICY
JOURNAL = "/var/lib/dpkg/updates/0001"
"""There while dpkg was interrupted: apt-get refuses to work then."""
OPERATIONS = ("begin", "unpack", "configure", "remove", "purge")
FAULTS = "/run/lab-fault"
DATA = "/var/lib"
"""Where the postrm of every package deletes its data, in a directory of its name."""


def digest(data: bytes) -> str:
    """As dpkg keeps it for conffiles."""
    return md5(data, usedforsecurity=False).hexdigest()


def _required(name: str, version: str) -> Offer:
    offer = offer_of(name, version)
    return offer or Offer(name, version, "", arch="amd64")


def begin(state: HostState, name: str, auto: str) -> tuple[int, bytes]:
    """preinst and unpacking are under way: half-installed, reinst-required, still at the old version."""
    package = state.packages.get(name)
    if package is None:
        state.packages[name] = Installed("", "half-installed", auto=auto == "auto", broken=True)
    else:
        package.state, package.broken = "half-installed", True
        package.selection = "hold" if package.selection == "hold" else "install"
    return NOTHING_DONE


def unpack(state: HostState, name: str, version: str) -> tuple[int, bytes]:
    """The new files are there, and not configured; units that the new version does not have are gone."""
    package, offer = state.packages[name], _required(name, version)
    if name == "neutron-common":
        _adopt_configuration(state)
    old = offer_of(name, package.version)
    for unit in set(old.units if old else ()) - set(offer.units):
        state.services.pop(unit, None)
    for path, _ in offer.conffiles:
        files.make_directories(state, files.parent(path))
    package.version, package.state, package.broken = version, "unpacked", False
    return 0, f"Unpacking {name} ({version}) ...\n".encode()


def _adopt_configuration(state: HostState) -> None:
    """The preinst of neutron-common: the local quantum.conf becomes neutron.conf."""
    old, new = "/etc/quantum/quantum.conf", "/etc/neutron/neutron.conf"
    if old in state.files and new not in state.files:
        files.make_directories(state, files.parent(new))
        source = state.files[old]
        state.files[new] = File("file", source.mode, source.owner, source.group, source.data)


def configure(state: HostState, name: str) -> tuple[int, bytes]:
    """The package is installed, its conffiles settled and its units started; half-configured where its postinst fails."""
    package = state.packages.get(name)
    if package is None or package.state not in ("unpacked", "half-configured"):
        return NOTHING_DONE
    offer = _required(name, package.version)
    if missing := [one.name for one in offer.depends if not _configured(state, one)]:
        return 1, (
            f"dpkg: dependency problems prevent configuration of {name}: {missing[0]}\n"
            f"dpkg: error processing package {name} (--configure):\n dependency problems - leaving unconfigured\n"
        ).encode()
    package.state = "half-configured"
    fault = state.files.get(f"{FAULTS}/fail-{name}", files.NOTHING)
    if fault.kind == "file" and fault.data.decode().strip() in ("", offer.release):
        return 1, (
            f"dpkg: error processing package {name} (--configure):\n"
            f" installed {name} package post-installation script subprocess returned error exit status 1\n"
        ).encode()
    _settle_conffiles(state, package, offer)
    package.state = "installed"
    for unit in offer.units:
        _start(state, unit)
    return 0, f"Setting up {name} ({package.version}) ...\n".encode()


def _configured(state: HostState, relation: Relation) -> bool:
    for name, package in state.packages.items():
        offer = offer_of(name, package.version)
        if name == relation.name or (offer and relation.name in offer.provides):
            return package.state == "installed" and satisfies(package.version, relation)
    return False


def _settle_conffiles(state: HostState, package: Installed, offer: Offer) -> None:
    """Keep what was edited here, as --force-confold says; put the shipped text beside it where that is new (dpkg(1))."""
    known = {path: one.removesuffix(OBSOLETE) for path, one in package.conffiles.items()}
    # dpkg forgets an obsolete conffile that is no longer there.
    package.conffiles = {path: one + OBSOLETE for path, one in known.items() if path in state.files}
    for path, data in offer.conffiles:
        present = state.files.get(path)
        untouched = present is not None and known.get(path) == digest(present.data)
        if present is None and path not in known:
            state.files[path] = File("file", "0640", data=data)
        elif present is not None and untouched:
            present.data = data
        elif known.get(path) != digest(data) and (present is None or present.data != data):
            state.files[f"{path}.dpkg-dist"] = File("file", "0640", data=data)
        package.conffiles[path] = digest(data)


def _start(state: HostState, unit: str) -> None:
    """deb-systemd-helper enables a new unit, deb-systemd-invoke restarts it unless policy-rc.d or a mask forbids it."""
    service = state.services.setdefault(unit, Service())
    policy = state.files.get(POLICY, files.NOTHING).data.decode()
    if f"{unit}:*" not in policy and service.enabled:
        systemd.change(state, "restart", unit)


def remove(state: HostState, name: str) -> tuple[int, bytes]:
    """The package is gone but for its conffiles."""
    package = state.packages.get(name)
    if package is None or package.state == "config-files":
        return NOTHING_DONE
    offer = _required(name, package.version)
    for unit in offer.units:
        state.services.pop(unit, None)
    if package.conffiles or files.walk(state, [f"{DATA}/{name}"]):
        package.state, package.selection, package.broken, package.auto = "config-files", "deinstall", False, False
    else:
        del state.packages[name]
    return 0, f"Removing {name} ({package.version}) ...\n".encode()


def purge(state: HostState, name: str) -> tuple[int, bytes]:
    """Nothing of the package is left, what dpkg wrote beside its conffiles included."""
    package = state.packages.pop(name, None)
    for path in package.conffiles if package else ():
        for end in ("", ".dpkg-dist", ".dpkg-old", ".dpkg-new"):
            files.remove(state, path + end)
        files.remove(state, files.parent(path))
    for below in files.walk(state, [f"{DATA}/{name}"])[::-1]:
        files.remove(state, below.path)
    return 0, f"Purging configuration files for {name} ...\n".encode()


def policy(state: HostState, text: str) -> tuple[int, bytes]:
    """The policy-rc.d of a guarded transaction is there, or gone where `text` is empty."""
    if text:
        files.put(state, POLICY, File("file", "0755", data=text.encode()))
    else:
        files.remove(state, POLICY)
    return NOTHING_DONE


def mark(state: HostState, name: str, word: str) -> tuple[int, bytes]:
    """apt's mark: `auto` or `manual`."""
    if name in state.packages:
        state.packages[name].auto = word == "auto"
    return NOTHING_DONE


def select(state: HostState, name: str, selection: str) -> tuple[int, bytes]:
    """dpkg's selection state."""
    if name in state.packages:
        state.packages[name].selection = selection
    return NOTHING_DONE


def audit(state: HostState) -> bytes:
    """What `dpkg --audit` prints: nothing on a healthy host."""
    sick = [name for name, one in sorted(state.packages.items()) if one.state not in ("installed", "config-files")]
    return "".join(f" {name}  {state.packages[name].state}\n" for name in sick).encode()

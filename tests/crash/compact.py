"""The compact plan: every kind of step and gate, on two hosts, in as few steps as that takes. Fake and real hosts alike.

`control` runs keystone of havana with its database, and holds a database `scratch`; `compute` runs nova-compute. Both know the
repository of havana. The plan takes them to icehouse.
"""

from nornir_upgrade.core.host import FileState
from nornir_upgrade.core.packages import PackageWant
from nornir_upgrade.core.plan import Plan, Wave, Work
from nornir_upgrade.core.step import Step
from nornir_upgrade.core.store import Store
from nornir_upgrade.gates import AuditClean, CommandSucceeds, HttpStatus, PortOpen, ServiceActive
from nornir_upgrade.steps.commands import RunCommand
from nornir_upgrade.steps.databases import DumpDatabase, RestoreDatabase
from nornir_upgrade.steps.files import CaptureFiles, RestoreFiles
from nornir_upgrade.steps.ini import SetOption
from nornir_upgrade.steps.packages import SetPackages
from nornir_upgrade.steps.repositories import SetRepository
from nornir_upgrade.steps.services import ServiceWant, SetServices
from tests.fake.hosts import SOURCE, SOURCES
from tests.fake.index import ICEHOUSE

CONTROL_PACKAGES = ("keystone",)
COMPUTE_PACKAGES = ("nova-compute",)
DATABASE, SCRATCH = "keystone", "scratch"
_CONTROL = (("keystone", ICEHOUSE, False), ("python-keystone", ICEHOUSE, True))
_CONTROL_CLIENT = ("python-keystoneclient", "1:0.7.1-0ubuntu1~cloud0", True)
_COMPUTE = (
    ("nova-compute", ICEHOUSE, False),
    ("nova-common", ICEHOUSE, True),
    ("python-nova", ICEHOUSE, True),
    ("python-novaclient", "1:2.17.0-0ubuntu1~cloud0", True),
    ("python-oslo.messaging", "1.3.0-0ubuntu1~cloud0", True),
)
NOTES = "/srv/compact"
_MARKER = f"{NOTES}/marker"


def plan(control: str, compute: str, store: Store) -> Plan:
    """The plan for hosts of these names; what it wants to put on them is in `store` afterwards."""
    first = Wave("control", (Work(control, _control_steps(store)),), (Work(control, _gates()),))
    second = Wave("compute", (Work(compute, _compute_steps()),), (Work(compute, (ServiceActive("nova-compute"),)),))
    old = SetRepository(SOURCES.format(release="havana"))
    last = Wave("old repository", tuple(Work(host, (old,)) for host in (control, compute)))
    return Plan("forward", "compact", (first, second, last))


def _control_steps(store: Store) -> tuple[Step, ...]:
    return (
        SetServices((ServiceWant("keystone", active=False),)),
        CaptureFiles(("/etc/keystone",), "configuration of keystone"),
        DumpDatabase(DATABASE),
        _repository("icehouse"),
        _packages((*_CONTROL, _CONTROL_CLIENT), keep_stopped=("keystone",)),
        SetOption("/etc/keystone/keystone.conf", "DEFAULT", "verbose", "True"),
        RunCommand(("keystone-manage", "db_sync"), covered=f"database {DATABASE}"),
        RunCommand(("install", "-d", "-m", "0750", "--", NOTES), undo=("rm", "-rf", "--", NOTES)),
        RestoreFiles((NOTES,), _notes(store)),
        RunCommand(("touch", "--", _MARKER), undo=("rm", "-f", "--", _MARKER)),
        RestoreDatabase(SCRATCH, ""),
        SetServices((ServiceWant("keystone", active=True),)),
    )


def _notes(store: Store) -> tuple[FileState, ...]:
    digest = store.put(b"a note that the plan brings\n")
    return (
        FileState(NOTES, "directory", "0750", "root", "root"),
        FileState(f"{NOTES}/link", "symlink", "", "root", "root", target="note"),
        FileState(f"{NOTES}/note", "file", "0640", "root", "root", digest),
    )


def _gates() -> tuple[Step, ...]:
    return (
        ServiceActive("keystone"),
        PortOpen(5000),
        HttpStatus("http://127.0.0.1:5000/", contains=ICEHOUSE),
        AuditClean(),
        CommandSucceeds(("test", "-e", _MARKER)),
    )


def _compute_steps() -> tuple[Step, ...]:
    return (
        CaptureFiles(("/etc/nova",), "configuration of nova"),
        _repository("icehouse"),
        _packages(_COMPUTE),
        SetOption("/etc/nova/nova.conf", "upgrade_levels", "compute", "havana"),
        SetOption("/etc/nova/nova.conf", "upgrade_levels", "compute", None),
    )


def _packages(wanted: tuple[tuple[str, str, bool], ...], keep_stopped: tuple[str, ...] = ()) -> SetPackages:
    return SetPackages(
        tuple(PackageWant(name, "all", version, "installed", auto) for name, version, auto in wanted), keep_stopped
    )


def _repository(release: str) -> SetRepository:
    return SetRepository(SOURCES.format(release=release), SOURCE.format(release=release))

"""The compact plan: every kind of step and gate, on two hosts, in as few steps as that takes. Fake and real hosts alike.

`control` runs keystone of havana with its database, and holds a database `scratch`; `compute` runs nova-compute. Both know the
repository of havana. The plan takes them to icehouse.
"""

from nornir_upgrade.core.facts.gather import gather
from nornir_upgrade.core.packaging.model import PackageWant
from nornir_upgrade.core.packaging.preview import preview
from nornir_upgrade.core.plan import Plan, Wave, Work
from nornir_upgrade.core.step import Step
from nornir_upgrade.core.store import Store
from nornir_upgrade.core.transport.host import FileState, Host
from nornir_upgrade.steps.commands import RunCommand
from nornir_upgrade.steps.databases import DumpDatabase, RestoreDatabase
from nornir_upgrade.steps.downloads import DownloadPackages, NewRepository
from nornir_upgrade.steps.files import CaptureFiles, RestoreFiles
from nornir_upgrade.steps.gates import AuditClean, CommandSucceeds, DatabaseDumps, HttpStatus, PortOpen, ServiceActive
from nornir_upgrade.steps.ini import SetOption
from nornir_upgrade.steps.packages import SetPackages
from nornir_upgrade.steps.repositories import SetRepository
from nornir_upgrade.steps.services import ServiceWant, SetServices
from nornir_upgrade.steps.state import CaptureState
from tests.fake.hosts import SOURCE, SOURCES
from tests.fake.index import ICEHOUSE

CONTROL_PACKAGES = ("keystone", "python-keystone", "python-keystoneclient")
COMPUTE_PACKAGES = ("nova-compute", "nova-common", "python-nova", "python-novaclient")
DATABASE, SCRATCH = "keystone", "scratch"
_KEYSTONE, _NOVA = "configuration of keystone", "configuration of nova"
NOTES = "/srv/compact"
_MARKER = f"{NOTES}/marker"


def plan(control: Host, compute: Host, store: Store, *, together: bool = False, beforehand: bool = True) -> Plan:
    """The plan for these hosts, as their own apt would have it; what it wants to put on them is in `store` afterwards.

    `together`: both hosts at once, in one wave. `beforehand`: with the wave in which nothing is touched.
    """
    prepare = Wave(
        "prepare",
        (Work(control.name, ()), Work(compute.name, (download(compute, COMPUTE_PACKAGES),))),
        (Work(control.name, (DatabaseDumps(DATABASE),)),),
    )
    first = Wave(
        "control",
        (Work(control.name, _control_steps(_packages(control, CONTROL_PACKAGES, _KEYSTONE, ("keystone",)), store)),),
        (Work(control.name, _gates()),),
    )
    second = Wave(
        "compute",
        (Work(compute.name, _compute_steps(_packages(compute, COMPUTE_PACKAGES, _NOVA))),),
        (Work(compute.name, (ServiceActive("nova-compute"),)),),
    )
    old = SetRepository(SOURCES.format(release="havana"))
    last = Wave("old repository", tuple(Work(host.name, (old,)) for host in (control, compute)))
    both = Wave("both", (*first.work, *second.work), (*first.gates, *second.gates))
    touching = (both, last) if together else (first, second, last)
    return Plan("forward", "compact", (prepare, *touching) if beforehand else touching)


def download(host: Host, names: tuple[str, ...]) -> DownloadPackages:
    """What these packages need at their candidates, from icehouse, which the host need not know yet."""
    repository = NewRepository(SOURCES.format(release="icehouse"), SOURCE.format(release="icehouse"))
    return DownloadPackages(_packages(host, names, "").want, (repository,))


def _control_steps(packages: SetPackages, store: Store) -> tuple[Step, ...]:
    return (
        SetServices((ServiceWant("keystone", active=False),)),
        CaptureFiles(("/etc/keystone",), _KEYSTONE),
        DumpDatabase(DATABASE),
        _repository("icehouse"),
        packages,
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


def _compute_steps(packages: SetPackages) -> tuple[Step, ...]:
    return (
        CaptureState(_NOVA, ("/srv/nova",)),
        _repository("icehouse"),
        packages,
        SetOption("/etc/nova/nova.conf", "upgrade_levels", "compute", "havana"),
        SetOption("/etc/nova/nova.conf", "upgrade_levels", "compute", None),
        CaptureState("end", ("/srv/nova",), end=True),
    )


def _packages(
    host: Host, names: tuple[str, ...], configuration: str, keep_stopped: tuple[str, ...] = ()
) -> SetPackages:
    """These packages at their candidates once icehouse is known, and whatever apt says comes or goes with them."""
    path, text = SOURCES.format(release="icehouse"), SOURCE.format(release="icehouse")
    changes = preview(host, {path: text}, {"all": names})["all"].changes
    marks = {package.name: package.auto for package in gather(host).packages}
    return SetPackages(
        tuple(
            PackageWant(change.name, change.arch, change.new, "installed", marks.get(change.name, True))
            if change.new
            else PackageWant(change.name, change.arch, "", "config-files")
            for change in changes
        ),
        keep_stopped,
        configuration=configuration,
    )


def _repository(release: str) -> SetRepository:
    return SetRepository(SOURCES.format(release=release), SOURCE.format(release=release))

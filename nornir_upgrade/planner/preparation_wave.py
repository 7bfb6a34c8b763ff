"""Preparation: work that can fail without touching a service. Every host of a plan does it before the first service stops. Pure."""

from collections.abc import Iterator, Sequence

from nornir_upgrade.core.plan import Wave, Work
from nornir_upgrade.core.step import Step
from nornir_upgrade.steps.databases import DumpDatabase
from nornir_upgrade.steps.downloads import DownloadPackages, NewRepository
from nornir_upgrade.steps.gates import DatabaseDumps
from nornir_upgrade.steps.packages import SetPackages
from nornir_upgrade.steps.repositories import SetRepository

NAME = "prepare"
OUTAGE = "none: no service is stopped, and nothing is installed"
WAY_BACK = "what was downloaded goes out of the cache again"


def beforehand(waves: Sequence[Wave]) -> Iterator[Wave]:
    """The wave before `waves`: it downloads what their packages steps install, and dumps their databases on trial.

    It includes every host, so that each is checked before any is changed. No wave if there is nothing to prepare.
    """
    by_host: dict[str, list[Step]] = {}
    for wave in waves:
        for part in wave.work:
            by_host.setdefault(part.host, []).extend(part.steps)
    work = tuple(Work(host, tuple(_downloads(steps))) for host, steps in by_host.items())
    gates = tuple(Work(host, trials) for host, steps in by_host.items() if (trials := _trials(steps)))
    if gates or any(part.steps for part in work):
        yield Wave(NAME, work, gates)


def _downloads(steps: Sequence[Step]) -> Iterator[DownloadPackages]:
    """One download for all transactions of a host."""
    transactions = [step for step in steps if isinstance(step, SetPackages)]
    want = sorted(
        (package for step in transactions for package in step.want),
        key=lambda package: (package.name, package.arch, package.version),
    )
    if any(package.goal == "installed" for package in want):
        files = [step for step in steps if isinstance(step, SetRepository) and not step.replaces]
        new = tuple(NewRepository(file.path, file.text) for file in files if file.text)
        yield DownloadPackages(tuple(want), new, manager=transactions[0].manager)


def _trials(steps: Sequence[Step]) -> tuple[DatabaseDumps, ...]:
    return tuple(DatabaseDumps(step.database, step.defaults_file) for step in steps if isinstance(step, DumpDatabase))

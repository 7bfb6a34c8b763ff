"""What was true before a step, in words of its own: a step says what it wants, which reads like an order."""

from nornir_upgrade.console.text import printable
from nornir_upgrade.core.packaging.model import PackageWant
from nornir_upgrade.core.step import Step
from nornir_upgrade.steps.downloads import DownloadPackages
from nornir_upgrade.steps.files import RestoreFiles
from nornir_upgrade.steps.packages import SetPackages
from nornir_upgrade.steps.repositories import SetRepository
from nornir_upgrade.steps.services import ServiceWant, SetServices


def before_in_text(before: Step) -> str:
    """The state that `before` wants."""
    match before:
        case SetPackages():
            return _packages(before.want)
        case SetServices():
            return "; ".join(map(_service, before.want))
        case SetRepository():
            return "not there" if before.text is None and not before.digest else "there, as it was kept"
        case RestoreFiles():
            return f"{len(before.entries)} files and directories, kept" if before.entries else "not there"
        case DownloadPackages():
            return f"{len(before.gone)} package files not in the cache"
        case _:
            return f"to go back: {printable(before.describe())}"


def _packages(want: tuple[PackageWant, ...]) -> str:
    there = sum(one.goal == "installed" for one in want)
    return f"{there} packages in their old versions, {len(want) - there} not installed: see Packages"


def _service(one: ServiceWant) -> str:
    words = {True: ("running", "enabled"), False: ("stopped", "disabled"), None: ("", "")}
    said = [word for word in (words[one.active][0], words[one.enabled][1]) if word]
    return f"{one.name} {' and '.join(said)}".strip()

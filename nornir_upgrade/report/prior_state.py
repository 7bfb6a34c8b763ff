"""Prior state: the state before a step, in words. The description of a step itself reads like an order."""

from nornir_upgrade.console.text import printable
from nornir_upgrade.core.packaging.model import PackageWant
from nornir_upgrade.core.step import Step
from nornir_upgrade.steps.downloads import DownloadPackages
from nornir_upgrade.steps.files import RestoreFiles
from nornir_upgrade.steps.packages import SetPackages
from nornir_upgrade.steps.repositories import SetRepository
from nornir_upgrade.steps.services import ServiceWant, SetServices


def before_in_text(before: Step) -> str:
    """The state that `before` wants, in words."""
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
    installed = sum(package.goal == "installed" for package in want)
    return f"{installed} packages in their old versions, {len(want) - installed} not installed: see Packages"


def _service(service: ServiceWant) -> str:
    words = {True: ("running", "enabled"), False: ("stopped", "disabled"), None: ("", "")}
    states = [word for word in (words[service.active][0], words[service.enabled][1]) if word]
    return f"{service.name} {' and '.join(states)}".strip()

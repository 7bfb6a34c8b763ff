"""Lost hosts: those that could not be asked, by name with the failure, as a verb reports them."""

from collections.abc import Mapping

from nornir_upgrade.console.output import Screen
from nornir_upgrade.core.errors import Failure


def messages(lost: Mapping[str, Failure]) -> dict[str, str]:
    """The message of each host's failure, for a document."""
    return {host: failure.message for host, failure in lost.items()}


def worst(lost: Mapping[str, Failure]) -> int:
    """The highest exit code among the failures; 0 if there is none."""
    return max((failure.exit_code for failure in lost.values()), default=0)


def report(screen: Screen, lost: Mapping[str, Failure], what: str) -> None:
    """Name each host on stderr, with its failure and what to do; `what` it lacks."""
    from nornir_upgrade.console.text import printable

    for host, failure in lost.items():
        screen.warn(printable("\n  ".join(filter(None, (f"{what}: {host}: {failure.message}", failure.hint)))))

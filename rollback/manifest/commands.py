"""A manifest as words for a person: package words a line, or commands of the package manager's own tool. Pure."""

from collections import Counter
from collections.abc import Callable

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.facts.gather import HostFacts
from rollback.packaging.registry import judgement_of, manager_judgement, tools_of

from .model import Change, Manifest, moving
from .transaction import wants


def words(manifest: Manifest, native: str) -> tuple[str, ...]:
    """What changes: `name=version`, and `name-` for what is removed; sorted, each once.

    A foreign architecture stands with the name (`libc6:i386`), with rpm where the name is there in several (`glibc.i686`).
    """
    arch = _arch_words(manifest, native)
    return tuple(
        sorted(
            {
                f"{change.name}{arch(change)}-"
                if change.action == "remove"
                else f"{change.target_name}{arch(change)}={change.target}"
                for change in moving(manifest)
            }
        )
    )


def of_list(manifest: Manifest, tool: str, native: str) -> tuple[str, ...]:
    """The way back of a machine that cannot be reached, as commands of `tool` to be taken there; none where nothing changes.

    Raises `InvalidInput` where the packages are another tool's.
    """
    tools = tools_of(manifest.family)
    if tool not in tools:
        packages = judgement_of(manifest.family).packages
        raise InvalidInput(f"these are {packages}: {tool} cannot take them back", hint=f"-o {' or '.join(tools)}")
    return tools[tool].commands.of_list(moving(manifest), native)


def of_host(manifest: Manifest, tool: str, now: HostFacts) -> tuple[str, ...]:
    """The transaction that a rollback of the host would carry out, as commands of `tool`; none where nothing changes.

    Raises `InvalidInput` where the packages are another tool's.
    """
    judgement = manager_judgement(now.os.manager)
    if judgement.tool != tool:
        raise InvalidInput(
            f"{manifest.host} has {manifest.family} packages: {tool} cannot take them back",
            hint=f"-o text or -o json says it of every host; --limit names those that have {tool}",
        )
    want = wants(manifest, now) if moving(manifest) else ()
    return judgement.commands.of_host(want, now.packages) if want else ()


def _arch_words(manifest: Manifest, native: str) -> Callable[[Change], str]:
    """How the architecture of a change is written behind its name."""
    arch_word = judgement_of(manifest.family).arch_word
    pairs = {(change.target_name, change.arch) for change in manifest.changes}
    counts = Counter(name for name, _ in pairs)
    return lambda change: arch_word(change.arch, native, several=counts[change.target_name] > 1)

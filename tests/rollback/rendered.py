"""What the tools print, written from values: what the parsers read back."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from rollback.packaging.deb.apt_policy import PolicyPackage
from rollback.packaging.text import Text, decode

CASES = Path(__file__).parents[1] / "cases" / "texts"


def case(name: str) -> Text:
    """The output of a real tool."""
    return decode((CASES / name).read_bytes(), name)


def text(content: str) -> Text:
    return decode(content.encode(), "file")


def policy(packages: Iterable[PolicyPackage], *, indented: bool = True, wrapped: bool = False) -> str:
    """`apt-cache policy`; not `indented` and `wrapped` as the operations guide shows it."""
    lines = (line for package in packages for line in _block(package, wrapped))
    return "".join((line if indented else line.strip()) + "\n" for line in lines)


def _block(package: PolicyPackage, wrapped: bool) -> Iterator[str]:
    yield f"{package.package}:"
    yield f"  Installed: {package.installed or '(none)'}"
    yield f"  Candidate: {package.candidate or '(none)'}"
    yield "  Version table:"
    for version in package.versions:
        phased = f" (phased {version.phased}%)" if version.phased is not None else ""
        yield f" {'***' if version.installed else '   '} {version.version} {version.priority}{phased}"
        for source in version.sources:
            line = f"     {source.priority:>6} {source.raw}"
            yield from (
                line.replace(f"{source.uri} ", f"{source.uri}\n").split("\n") if wrapped and source.uri else [line]
            )

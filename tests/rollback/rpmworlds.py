"""Small universes of rpm packages: by hand, and by chance, with a liking for what is hard."""

from collections.abc import Iterable
from random import Random

from nornir_upgrade.core.packaging.rpm.dependencies import Control, Rpm, control, rpm

NATIVE = "x86_64"
NAMES = ("a", "b", "c", "d")
VIRTUAL = ("v", "w(x)(64bit)")
PATHS = ("/usr/bin/p", "/opt/q")
ARCHS = (NATIVE, NATIVE, "i686", "noarch")
VERSIONS = ("1-1", "1-2", "2~rc1-1", "2-1", "1:0.5-1", "2^git-1", "1.0-1", "1.00-1")
BOUNDS = (*VERSIONS, "1", "2", "1:0.5", "2^git", "1.00", "0:2-1")
INSTALL_ONLY = "d"
"""Of this name any number of versions may stand, in these worlds."""


def made(word: str, *, arch: str = "noarch", **fields: str) -> Rpm:
    """`name=version` with fields as keywords, elements apart by a comma: `requires="b >= 1, (c if d)"`."""
    name, _, version = word.partition("=")
    lines = {field.title(): [one.strip() for one in text.split(",")] for field, text in fields.items()}
    return rpm(name, arch, version, control(lines))


def control_of(one: Rpm) -> Control:
    """The fields that `one` would be read from."""
    return control(
        {
            "Requires": map(str, one.requires),
            "Conflicts": map(str, one.conflicts),
            "Obsoletes": map(str, one.obsoletes),
            "Provides": map(str, one.provides),
            "Files": sorted(one.files),
        }
    )


# ---------------------------------------------------------------------- by chance


def some(chance: Random, most: int = 6) -> list[Rpm]:
    """Up to `most` packages, no two of one name, architecture and version."""
    found = (_rpm(chance) for _ in range(chance.randint(1, most)))
    return list({(one.name, one.arch, one.version): one for one in found}.values())


def _rpm(chance: Random) -> Rpm:
    name = chance.choice(NAMES)
    return rpm(
        name,
        chance.choice(ARCHS),
        chance.choice(VERSIONS),
        control(
            {
                "Requires": _few(chance, (0, 0, 1, 2), _dependency),
                "Conflicts": _few(chance, (0, 0, 0, 1), _dependency),
                "Obsoletes": [one for one in _few(chance, (0, 0, 0, 1), _versioned) if one.split()[0] != name],
                "Provides": _few(chance, (0, 1, 1, 2), _provide),
                "Files": _few(chance, (0, 0, 1), lambda chance: chance.choice(PATHS)),
            }
        ),
    )


def _few(chance: Random, counts: tuple[int, ...], one) -> list[str]:  # type: ignore[no-untyped-def]
    return [one(chance) for _ in range(chance.choice(counts))]


def _dependency(chance: Random) -> str:
    return _rich(chance, 2) if chance.random() < 0.4 else _versioned(chance, (*NAMES, *VIRTUAL, *PATHS))


def _versioned(chance: Random, names: Iterable[str] = (*NAMES, *VIRTUAL)) -> str:
    name = chance.choice(tuple(names))
    if name.startswith("/") or chance.random() < 0.4:
        return name
    return f"{name} {chance.choice(('<', '<=', '=', '>=', '>'))} {chance.choice(BOUNDS)}"


def _provide(chance: Random) -> str:
    name = chance.choice((*NAMES[:-1], *VIRTUAL, *VIRTUAL))  # what provides it would be install-only too
    bound = chance.choice(("", "", f" = {chance.choice(BOUNDS)}", f" <= {chance.choice(BOUNDS)}"))
    return f"{name}{bound}"


def _rich(chance: Random, depth: int) -> str:
    op = chance.choice(("and", "or", "if", "if else", "unless", "unless else", "with", "without"))
    if op in ("with", "without"):
        return f"({_single(chance, depth)} {op} {_single(chance, depth)})"
    first, second, third = (_term(chance, depth) for _ in range(3))
    word, _, other = op.partition(" ")
    return f"({first} {word} {second} else {third})" if other else f"({first} {word} {second})"


def _term(chance: Random, depth: int) -> str:
    return _rich(chance, depth - 1) if depth > 1 and chance.random() < 0.3 else _versioned(chance)


def _single(chance: Random, depth: int) -> str:
    """What can be asked of one package: `with` and `without` take nothing else."""
    if depth < 2 or chance.random() < 0.7:
        return _versioned(chance)
    op = chance.choice(("with", "without", "or"))
    return f"({_single(chance, depth - 1)} {op} {_single(chance, depth - 1)})"

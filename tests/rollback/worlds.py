"""Small universes of packages: by hand, and by hypothesis."""

from collections.abc import Iterable
from dataclasses import replace

from hypothesis import strategies as st

from nornir_upgrade.core.facts.gather import HostFacts
from nornir_upgrade.core.packaging.deb.dependencies import FIELDS, DebPackage, deb
from nornir_upgrade.core.packaging.model import Package
from rollback.packaging.candidate import Candidate, Catalog, catalog
from tests.builders import facts, package

NATIVE = "amd64"
VERSIONS = ("1.0", "1.0-0", "2~rc1", "2.0", "1:0.5")
NAMES = ("a", "b", "c", "d")


def made(word: str, *, arch: str = NATIVE, **fields: str) -> DebPackage:
    """`name=version` with fields as keywords: `pre_depends="x"`."""
    name, _, version = word.partition("=")
    given = {key.replace("_", "-").title().replace("Multi-Arch", "Multi-Arch"): value for key, value in fields.items()}
    assert given.keys() <= set(FIELDS), given
    return deb(name, arch, version, tuple(sorted(given.items())))


def text_of(one: DebPackage) -> dict[str, str]:
    """The fields of a stanza that `one` would be read from."""
    found: dict[str, list[str]] = {}
    for demand in (*one.depends, *one.excludes):
        found.setdefault(demand.field, []).append(str(demand))
    fields = {field: ", ".join(demands) for field, demands in found.items()}
    if one.provides:
        fields["Provides"] = ", ".join(map(str, one.provides))
    if one.multi_arch != "no":
        fields["Multi-Arch"] = one.multi_arch
    return fields | ({"Essential": "yes"} if one.essential else {})


def offering(debs: Iterable[DebPackage], present: Iterable[DebPackage] = ()) -> Catalog:
    """A catalogue that offers `debs`, on a host that has `present`."""
    candidates = (
        Candidate(one.name, one.arch, one.version, "archive old/main", control=tuple(sorted(text_of(one).items())))
        for one in debs
    )
    here = {(one.name, one.arch, one.version): tuple(sorted(text_of(one).items())) for one in present}
    return catalog(candidates, here)


def host(debs: Iterable[DebPackage], *, auto: Iterable[str] = (), hold: Iterable[str] = ()) -> HostFacts:
    """A host of the architecture amd64 that has `debs` installed."""
    return facts(packages=[installed(one, auto=one.name in auto, hold=one.name in hold) for one in debs])


def installed(one: DebPackage, *, auto: bool = False, hold: bool = False) -> Package:
    return replace(package(one.name, one.version, auto=auto, hold=hold), arch=one.arch)


# ---------------------------------------------------------------------- by hypothesis

_operator = st.sampled_from(("<<", "<=", "=", ">=", ">>"))
_name = st.sampled_from((*NAMES, "v"))


def _relation(qualifiers: tuple[str, ...]) -> st.SearchStrategy[str]:
    def written(name: str, qualifier: str, operator: str, version: str, versioned: bool) -> str:
        quirk = name == "v" and qualifier not in ("", "any")  # see test_against_apt
        return f"{name}:{qualifier}".rstrip(":") + (f" ({operator} {version})" if versioned and not quirk else "")

    return st.builds(written, _name, st.sampled_from(qualifiers), _operator, st.sampled_from(VERSIONS), st.booleans())


def _fields(qualifiers: tuple[str, ...], multi_arch: tuple[str, ...]) -> st.SearchStrategy[dict[str, str]]:
    relation = _relation(qualifiers)
    groups = st.lists(st.lists(relation, min_size=1, max_size=2).map(" | ".join), max_size=2).map(", ".join)
    few = st.lists(relation, max_size=1).map(", ".join)
    provided = st.builds(lambda version: "v" + version, st.sampled_from(("", " (= 1.0)", " (= 2.0)")))
    return st.fixed_dictionaries(
        {
            "Depends": groups,
            "Conflicts": st.one_of(st.just(""), few),
            "Breaks": st.one_of(st.just(""), few),
            "Provides": st.one_of(st.just(""), st.just(""), provided),
            "Multi-Arch": st.sampled_from(multi_arch),
        }
    )


def debs(
    archs: tuple[str, ...] = (NATIVE, "all"), qualifiers: tuple[str, ...] = ("",)
) -> st.SearchStrategy[DebPackage]:
    """Any package of a small world. With several architectures, of every Multi-Arch kind."""
    kinds = ("no", "no", "same", "foreign", "allowed") if len(archs) > 2 else ("no",)

    def build(name: str, version: str, arch: str, fields: dict[str, str]) -> DebPackage:
        if arch == "all" and fields["Multi-Arch"] == "same":
            fields = fields | {"Multi-Arch": "foreign"}  # apt refuses `same` of a package for all architectures
        return deb(name, arch, version, tuple(fields.items()))

    return st.builds(
        build, st.sampled_from(NAMES), st.sampled_from(VERSIONS), st.sampled_from(archs), _fields(qualifiers, kinds)
    )

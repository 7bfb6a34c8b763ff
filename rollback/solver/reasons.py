"""Reasons for people: equal reasons of several versions merged, and deviations grouped by their root cause. Pure."""

from collections.abc import Iterable, Mapping

from nornir_upgrade.core.packaging.model import PackageName
from rollback.packaging.clauses import Reason, Rule

_ORDER: tuple[Rule, ...] = ("missing", "essential", "policy", "depends", "excludes", "one-version", "present", "kept")
_ROOTS: tuple[tuple[Rule, ...], ...] = (("missing", "policy"), ("essential",), ("depends", "excludes", "one-version"))


def merged(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """`reasons`, roots first. Reasons that differ only in the version are one, with the versions joined by `, `."""
    versions_of: dict[tuple[Rule, str, str], dict[str, None]] = {}
    for reason in sorted(
        reasons, key=lambda reason: (_ORDER.index(reason.rule), reason.package, reason.text, reason.version)
    ):
        versions_of.setdefault((reason.rule, reason.package, reason.text), {})[reason.version] = None
    return tuple(Reason(rule, name, ", ".join(versions), text) for (rule, name, text), versions in versions_of.items())


def by_root(
    reasons: Mapping[PackageName, tuple[Reason, ...]],
) -> tuple[tuple[tuple[Reason, ...], tuple[PackageName, ...]], ...]:
    """Groups of packages whose reasons have the same root: a version missing or barred, else an essential package, else the
    rules themselves. A group is its roots and its packages, sorted.
    """
    groups: dict[tuple[Reason, ...], list[PackageName]] = {}
    for key, why in sorted(reasons.items()):
        kinds = (tuple(reason for reason in why if reason.rule in kind) for kind in _ROOTS)
        groups.setdefault(next(filter(None, kinds), ()), []).append(key)
    return tuple((roots, tuple(keys)) for roots, keys in groups.items())

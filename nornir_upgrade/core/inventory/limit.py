"""Limit: the hosts that a text such as `cmp*,@db,!cmp2` selects. Pure."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from nornir_upgrade.core.errors import InvalidInput, UnknownName

_EVERY = "all"


def chosen(limit: str, groups_of: Mapping[str, Sequence[str]], groups: Sequence[str]) -> tuple[str, ...]:
    """The names of the hosts that `limit` selects, in the order of `groups_of` (host -> its groups). An empty limit selects all.

    Terms are separated by commas: names, globs, or `@group`; `!` before a term excludes its hosts. `all` and `@all` are every host,
    unless a host or group has that name. Raises `UnknownName` for a term that matches nothing: it is misspelt. Raises `InvalidInput`
    if no host remains.
    """
    if not groups_of:
        raise InvalidInput("the inventory holds no host")
    terms = [term.strip() for term in limit.split(",") if term.strip()]
    if limit and not terms:
        raise InvalidInput(f"the limit {limit!r} names nothing")
    included = [_matching(term, groups_of, groups) for term in terms if not term.startswith("!")]
    excluded = [_matching(term[1:], groups_of, groups) for term in terms if term.startswith("!")]
    inside = set[str]().union(*included) if included else set(groups_of)
    names = tuple(name for name in groups_of if name in inside and not any(name in hosts for hosts in excluded))
    if not names:
        existing = ", ".join([*groups_of, *(f"@{group}" for group in groups)])
        raise InvalidInput(f"the limit {limit!r} leaves no host", hint=f"there is: {existing}")
    return names


def _matching(term: str, groups_of: Mapping[str, Sequence[str]], groups: Sequence[str]) -> set[str]:
    if term.startswith("@"):
        matching = {group for group in groups if fnmatchcase(group, term[1:])}
        if not matching and term == f"@{_EVERY}":
            return set(groups_of)
        if not matching:
            raise UnknownName("group", term[1:], list(groups))
        return {name for name, own in groups_of.items() if matching.intersection(own)}
    hosts = {name for name in groups_of if fnmatchcase(name, term)} or {name for name in groups_of if name == term}
    if not hosts and term == _EVERY:
        return set(groups_of)
    if not hosts:
        raise UnknownName("host", term, [*groups_of, *(f"@{group}" for group in groups)])
    return hosts

"""Which hosts a limit such as `cmp*,@db,!cmp2` means. Pure."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from nornir_upgrade.core.errors import InvalidInput, UnknownName

_EVERY = "all"


def chosen(limit: str, groups_of: Mapping[str, Sequence[str]], groups: Sequence[str]) -> tuple[str, ...]:
    """The names of the hosts that `limit` means, in the order of `groups_of` (host -> its groups); all for an empty limit.

    Terms are separated by commas: names, globs, `@group`, and any of these behind `!`, which takes hosts out again. `all` and `@all`
    are every host, unless something there has that name. A term that
    means nothing is refused, for it is a misspelling: `UnknownName`; so is a limit that means no host: `InvalidInput`.
    """
    if not groups_of:
        raise InvalidInput("the inventory holds no host")
    terms = [term.strip() for term in limit.split(",") if term.strip()]
    if limit and not terms:
        raise InvalidInput(f"the limit {limit!r} names nothing")
    wanted = [_meant(term, groups_of, groups) for term in terms if not term.startswith("!")]
    unwanted = [_meant(term[1:], groups_of, groups) for term in terms if term.startswith("!")]
    inside = set[str]().union(*wanted) if wanted else set(groups_of)
    names = tuple(name for name in groups_of if name in inside and not any(name in out for out in unwanted))
    if not names:
        there = ", ".join([*groups_of, *(f"@{group}" for group in groups)])
        raise InvalidInput(f"the limit {limit!r} leaves no host", hint=f"there is: {there}")
    return names


def _meant(term: str, groups_of: Mapping[str, Sequence[str]], groups: Sequence[str]) -> set[str]:
    if term.startswith("@"):
        matching = {group for group in groups if fnmatchcase(group, term[1:])}
        if not matching and term == f"@{_EVERY}":
            return set(groups_of)
        if not matching:
            raise UnknownName("group", term[1:], list(groups))
        return {name for name, own in groups_of.items() if matching.intersection(own)}
    found = {name for name in groups_of if fnmatchcase(name, term)} or {name for name in groups_of if name == term}
    if not found and term == _EVERY:
        return set(groups_of)
    if not found:
        raise UnknownName("host", term, [*groups_of, *(f"@{group}" for group in groups)])
    return found

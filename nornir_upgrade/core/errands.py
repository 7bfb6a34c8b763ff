"""Errands: which host gives which thing, each thing once. Pure."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

T = TypeVar("T")
_NO_SIZES: Mapping[Any, int] = MappingProxyType({})


def errands(
    able: Mapping[str, Mapping[T, int]],
    due: Iterable[T],
    *,
    sizes: Mapping[T, int] = _NO_SIZES,
    spread: bool = True,
) -> dict[str, list[T]]:
    """What each host is asked for, so that all of `due` that some host has is fetched, each from one host.

    `able`: host -> thing -> rank; a host with a lower rank is asked first. Of hosts with the same rank the one with the least to do
    is asked, by `sizes` (1 where none is known); without `spread` the first by name, so that few hosts are asked.
    """
    load = dict.fromkeys(able, 0)
    found: dict[str, list[T]] = {}
    for thing in sorted(due, key=lambda one: (-sizes.get(one, 1), one)):
        if hosts := [host for host, things in able.items() if thing in things]:
            host = min(hosts, key=lambda name: (able[name][thing], load[name] if spread else 0, name))
            load[host] += max(1, sizes.get(thing, 1))
            found.setdefault(host, []).append(thing)
    return found

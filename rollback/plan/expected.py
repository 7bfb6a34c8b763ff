"""Expected facts: those of a host after the way back by a manifest. The verification compares with them. Pure."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TypeVar

from nornir_upgrade.core.facts.gather import HostFacts, Service
from nornir_upgrade.core.packaging.model import Package, Selection
from rollback.manifest.model import STAYS, Change, Manifest, slots_in

from .scope import Scope, scope

T = TypeVar("T")


def foretell(then: HostFacts, now: HostFacts, manifest: Manifest) -> HostFacts:
    """The facts of the host after `manifest` is carried out on `now`; equal to the snapshot's, `then`, if it leads there exactly."""
    about = scope(manifest, then, now)
    end = replace(then, packages=tuple(_packages(manifest, then, now)), services=_services(then, now, about))
    if not about.whole or about.outside:
        end = replace(
            end, conffiles=_mixed(then.conffiles, now.conffiles, lambda conffile: conffile.path in about.inside)
        )
    if about.whole:
        return end
    return replace(
        end,
        entries=_mixed(then.entries, now.entries, lambda entry: entry.name in about.inside),
        sources=_united(then.sources, now.sources, lambda source: source.path),
        repositories=_united(
            then.repositories,
            now.repositories,
            lambda repository: (repository.uri, repository.suite, repository.component, repository.arch),
        ),
        databases=_mixed(then.databases, now.databases, lambda database: about.names(database.name)),
    )


def _packages(manifest: Manifest, then: HostFacts, now: HostFacts) -> Iterator[Package]:
    before, present = (slots_in(manifest).by_key(facts.packages) for facts in (then, now))
    for change in manifest.changes:
        end, old = _end(change, present.get(change.key)), before.get(change.key)
        if end is not None:
            as_before = old is not None and old.unpacked and replace(old, state=end.state, broken=False) == end
            yield old if old is not None and as_before else end


def _end(change: Change, now: Package | None) -> Package | None:
    if change.action == "remove":
        left = Package(change.name, change.arch, change.target, "config-files", "deinstall", False)
        return left if change.target else None
    version = change.installed if change.action in STAYS else change.target
    if not version or (now is not None and now.broken and change.action == "unobtainable"):
        return now
    selection: Selection = "hold" if change.hold else "install"
    return Package(change.target_name, change.arch, version, "installed", selection, change.auto)


def _services(then: HostFacts, now: HostFacts, about: Scope) -> tuple[Service, ...]:
    """The services as they were. A service with the name of a package exists as long as the package, and is as now if the package is
    newer than then."""
    old = [service for service in then.services if not about.called(service.name, about.gone)]
    if not about.whole:
        return _mixed(old, now.services, lambda service: about.names(service.name))
    known = {service.name for service in then.services}
    new = [
        service
        for service in now.services
        if service.name not in known and (about.called(service.name, about.staying) or about.holds(service.name))
    ]
    return (*old, *new)


def _mixed(then: Iterable[T], now: Iterable[T], old: Callable[[T], bool]) -> tuple[T, ...]:
    """The things of `then` that are `old`, and those of `now` that are not."""
    return (*filter(old, then), *(item for item in now if not old(item)))


def _united(then: Iterable[T], now: Iterable[T], key: Callable[[T], object]) -> tuple[T, ...]:
    by_key = {key(item): item for item in now} | {key(item): item for item in then}
    return tuple(by_key.values())

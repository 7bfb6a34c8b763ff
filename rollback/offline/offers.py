"""Offers: the versions that files of an unreachable machine list as available, and the release that offers them. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from nornir_upgrade.core.errors import UnknownName
from nornir_upgrade.core.packaging.format import format_of
from nornir_upgrade.core.version import evr
from nornir_upgrade.core.version.nevra import without_epoch
from rollback.packaging.candidate import Offer
from rollback.packaging.labels import path_labels
from rollback.packaging.policy import VersionSource, VersionTable
from rollback.packaging.registry import judgement_of

_ANY_ARCH = ("all", "noarch")
"""What lists of either format write for packages of every architecture."""


@dataclass(frozen=True, slots=True)
class Offers:
    """Offers by package name. `native` is the machine's own architecture."""

    family: str
    native: str
    by_name: Mapping[str, tuple[Offer, ...]]

    def of(self, name: str, arch: str) -> tuple[Offer, ...]:
        """All offers of a package; of any architecture if `arch` is ''."""
        return tuple(offer for offer in self.by_name.get(name, ()) if self._fits(arch, offer.arch))

    def exactly(self, name: str, arch: str, version: str) -> Offer | None:
        """The first offer of this version, the same text, or None."""
        return next((offer for offer in self.of(name, arch) if offer.version == version), None)

    def newest(self, name: str, arch: str, release: str) -> Offer | None:
        """The newest version that the named release offers, or None. Of equal versions the first counts."""
        flavour = format_of(self.family).flavour
        offered = [offer for offer in self.of(name, arch) if goes_by(offer.labels, release)]
        return max(offered, key=lambda offer: evr.sort_key(offer.version, flavour), default=None)

    def with_epoch(self, name: str, arch: str, version: str) -> str:
        """`version` with its epoch by the offers, if they agree on one; else unchanged."""
        versions = {offer.version for offer in self.of(name, arch) if without_epoch(offer.version) == version}
        return versions.pop() if len(versions) == 1 else version

    def require(self, release: str) -> None:
        """Raises `UnknownName` if `release` names no repository."""
        every = {offer.labels for offers in self.by_name.values() for offer in offers}
        if not any(goes_by(labels, release) for labels in every):
            raise UnknownName("release", release, sorted({label for labels in every for label in labels if label}))

    def _fits(self, arch: str, offered: str) -> bool:
        if not arch or arch == offered:
            return True
        own = (self.native, *_ANY_ARCH, "") if judgement_of(self.family).bare_is_native else _ANY_ARCH
        return arch in own and offered in own


def goes_by(labels: tuple[str, ...], release: str) -> bool:
    """Whether `release` names a repository with `labels`: it is a label, or successive labels joined by `/`.

    Whole names only: `bookworm` is not `bookworm-backports`.
    """
    words = tuple(release.strip("/").split("/"))
    return any(labels[at : at + len(words)] == words for at in range(len(labels) - len(words) + 1))


def collect(offers: Iterable[Offer], family: str, native: str) -> Offers:
    """`offers` by name, in their order, each once."""
    by_name: dict[str, dict[Offer, None]] = {}
    for offer in offers:
        by_name.setdefault(offer.name, {})[offer] = None
    return Offers(family, native, {name: tuple(each) for name, each in by_name.items()})


def from_policy(policy: VersionTable) -> Iterable[Offer]:
    """The offers of sources of kind `archive`."""
    in_source = judgement_of(policy.family).arch_in_source
    for package in policy.packages:
        name, _, arch = package.package.partition(":")
        for version in package.versions:
            for source in version.sources:
                if source.kind == "archive":
                    own = (source.arch or "") if in_source else arch
                    yield Offer(name, own, version.version, source.raw, labels_of(source))


def installed_versions(policy: VersionTable) -> Iterable[tuple[str, str, str]]:
    """Name, architecture ('' is the machine's own) and version of the installed packages by the policy."""
    in_source = judgement_of(policy.family).arch_in_source
    for package in policy.packages:
        name, _, arch = package.package.partition(":")
        for version in package.versions:
            if version.installed:
                status = [source.arch or "" for source in version.sources if source.kind == "status"]
                archs = status if in_source else [arch]
                yield from ((name, own, version.version) for own in archs)


def labels_of(source: VersionSource) -> tuple[str, ...]:
    """The parts of the path in a source's address, then those of its suite."""
    return path_labels(source.uri or "", source.suite or "")

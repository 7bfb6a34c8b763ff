"""Holders: which host holds copies of which objects, as far as the controller knows; the hosts themselves know better.

What is known of a host is one record, an object in a store of its own: whole or absent, and a flipped bit in it is found.
"""

import threading
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from nornir_upgrade.core import codec
from nornir_upgrade.core.store import Store


@dataclass(frozen=True, slots=True)
class Holding:
    """The copies of one host, at a moment: the later record counts."""

    host: str
    digests: tuple[str, ...]
    at: str


class Holders:
    """Records below `root`. Thread-safe."""

    def __init__(self, root: Path) -> None:
        self.records = Store(root)
        self._lock = threading.Lock()
        self._known: dict[str, Holding] | None = None
        self._hosts: dict[str, list[str]] | None = None

    def of(self, digest: str) -> tuple[str, ...]:
        """The hosts that hold a copy of `digest`."""
        with self._lock:
            if self._hosts is None:
                self._hosts = {}
                for host, holding in sorted(self._read().items()):
                    for each in holding.digests:
                        self._hosts.setdefault(each, []).append(host)
            return tuple(self._hosts.get(digest, ()))

    def on(self, host: str) -> frozenset[str]:
        """The digests of the copies that `host` holds."""
        with self._lock:
            holding = self._read().get(host)
        return frozenset(holding.digests) if holding else frozenset()

    def list(self) -> tuple[Holding, ...]:
        """Every host that holds any, by name."""
        with self._lock:
            return tuple(holding for _, holding in sorted(self._read().items()) if holding.digests)

    def add(self, host: str, digests: Collection[str]) -> None:
        """Afterwards it is known, durably, that `host` holds copies of these too."""
        self._change(host, self.on(host) | set(digests))

    def remove(self, host: str, digests: Collection[str]) -> None:
        """Afterwards nothing is known of these copies on `host`."""
        self._change(host, self.on(host) - set(digests))

    def damage(self) -> Iterator[str]:
        """What is wrong with records, one line each."""
        for digest in self.records.digests():
            if damage := self.records.damaged(digest):
                yield f"record of what a host keeps: {damage}"

    def _change(self, host: str, digests: frozenset[str] | set[str]) -> None:
        """The new record comes before the old ones go: who is cut off in between has both, and the later one counts."""
        if digests == self.on(host):
            return
        with self._lock:
            known = self._read()
            now = datetime.now(UTC).isoformat(timespec="microseconds")
            known[host], self._hosts = Holding(host, tuple(sorted(digests)), now), None
            kept = self.records.put(codec.dumps(known[host]).encode())
            for digest, holding in tuple(self._records()):
                if holding.host == host and digest != kept:
                    self.records.remove(digest)

    def _read(self) -> dict[str, Holding]:
        if self._known is None:
            ordered = sorted((holding for _, holding in self._records()), key=lambda holding: holding.at)
            self._known = {holding.host: holding for holding in ordered}
        return self._known

    def _records(self) -> Iterator[tuple[str, Holding]]:
        for digest in self.records.digests():
            if not self.records.damaged(digest):
                yield digest, codec.loads(self.records.get(digest), Holding, source=f"record {digest} of holders")

"""What is measured of this program: a fresh process gathers all facts of the fleet and prints them, as its peers do."""

import gc
import sys
from pathlib import Path

import msgspec

from nornir_upgrade.core import facts, fleet


def main(config: str) -> int:
    """One JSON object a line and host, and what failed; 1 when anything did."""
    gc.set_threshold(100_000)  # as the doors do
    hosts = fleet.load(Path(config))
    results = hosts.each(hosts.names, facts.gather)
    failed = {name: result for name, result in results.items() if isinstance(result, Exception)}
    for result in results.values():
        if isinstance(result, facts.HostFacts):
            print(msgspec.json.encode(result).decode())
    print("failed:", failed, file=sys.stderr)
    gc.freeze()  # as the doors do
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

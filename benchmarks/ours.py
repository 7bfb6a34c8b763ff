"""What is measured of this program: a fresh process gathers all facts of the fleet and prints how many packages it saw."""

import sys
from pathlib import Path

from nornir_upgrade.core import facts, fleet


def main(config: str) -> int:
    """Gather, count, and say so; 1 when a host failed."""
    hosts = fleet.load(Path(config))
    results = hosts.each(hosts.names, facts.gather)
    failed = {name: result for name, result in results.items() if isinstance(result, Exception)}
    seen = [result for result in results.values() if isinstance(result, facts.HostFacts)]
    print(f"{len(seen)} hosts, {sum(len(one.packages) for one in seen)} packages; failed: {failed}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

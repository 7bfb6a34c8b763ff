"""What is measured of this program: a fresh process gathers all facts of the fleet and prints them, as its peers do."""

import gc
import sys
from pathlib import Path

from nornir_upgrade.console.exit_codes import exit_now
from nornir_upgrade.core.inventory import fleet
from nornir_upgrade.core.transport.host import Host


def main(config: str) -> int:
    """One JSON object a line and host, and what failed; 1 when anything did."""
    gc.set_threshold(100_000)  # as the doors do
    hosts = fleet.load(Path(config))
    results = hosts.each(hosts.names, _told)
    failed = {name: result for name, result in results.items() if isinstance(result, Exception)}
    for result in results.values():
        if isinstance(result, bytes):
            sys.stdout.buffer.write(result)
    print("failed:", failed, file=sys.stderr)
    return 1 if failed else 0


def _told(host: Host) -> bytes:
    """The facts of one host as a line of JSON, made while others are still being asked; imported while hosts work."""
    from nornir_upgrade.core.facts import gather

    known = gather.gather(host)

    import msgspec

    return msgspec.json.encode(known) + b"\n"


if __name__ == "__main__":
    exit_now(main(sys.argv[1]))  # as the doors do

"""How apt is made to fetch package files, and to take files that lie on the host: fixed scripts.

What it will install later comes from repositories that the host does not have yet. apt knows these by a private copy of its sources
and indexes (`preview`), so that nobody else on the host sees them; the files go where apt looks for them later: into its own cache
(apt.conf(5), Dir::Cache::archives).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from nornir_upgrade.core.packaging.lock import LOCK_WAIT
from nornir_upgrade.core.packaging.model import Package, PackageWant
from nornir_upgrade.core.transport.disk import SPACE
from nornir_upgrade.core.transport.host import Host

from . import apt, preview

DIRECTORY = "/var/cache/apt/archives"
COMMAND = "apt-get --download-only"
FORMAT = preview.FORMAT
file_name = preview.file_name

_CACHE = """\
eval "$(apt-config shell cache Dir::Cache::archives/d)"
cache=${cache%/}
"""

# Names stand on standard input, a line each.
LIST = f"""\
{_CACHE}\
while IFS= read -r name; do
  if [ -f "$cache/$name" ]; then printf '%s\\n' "$name"; fi
done
"""
DROP = f"""\
{_CACHE}\
while IFS= read -r name; do
  rm -f -- "$cache/$name" "$cache/partial/$name" || exit
done
"""
DOWNLOAD = f"""\
{_CACHE}{SPACE}{preview.HOME}\
apt-get -q -c "$root/apt.conf" update || short $?
apt-get -c "$root/apt.conf" -o Dir::Cache::archives="$cache" "$@" || short $?
"""
"""Arguments as those of `preview.HOME`, then what apt-get is told."""


def words(want: Sequence[PackageWant], present: Sequence[Package]) -> tuple[str, ...]:
    """The last arguments of `DOWNLOAD`."""
    return apt.Apt().download(want, present, wait=LOCK_WAIT)


class AptDelivery:
    """Files by `--with-source` (apt-get(8)).

    They are root's alone, since what was rebuilt holds configuration. apt asks for them as another user where a repository offers
    the same version and does not give it (apt.conf(5), APT::Sandbox::User).
    """

    program = "apt-get"
    transaction_word = "apt-get"
    unfetched = "Unable to fetch some archives"
    download_only: tuple[str, ...] = ("--download-only",)
    without_files: tuple[str, ...] = ()

    def options(self, host: Host, paths: Sequence[str]) -> tuple[str, ...]:
        return ("-o", "APT::Sandbox::User=root", *(word for path in paths for word in ("--with-source", path)))

    @contextmanager
    def offline(self, host: Host) -> Iterator[None]:
        """apt does without a network by itself."""
        yield

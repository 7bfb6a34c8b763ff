"""How apt is told to fetch what it will install later, from repositories that the host does not have yet: fixed scripts.

apt knows these repositories by a private copy of its sources and indexes (`preview_deb`), so that nobody else on the host sees them;
the files go where apt looks for them later: into its own cache (apt.conf(5), Dir::Cache::archives).
"""

from collections.abc import Sequence

from nornir_upgrade.core.errors import Failure
from nornir_upgrade.core.packaging.file_source import SPACE
from nornir_upgrade.core.packaging.model import Package, PackageWant
from nornir_upgrade.core.transport.host import Result

from . import apt, preview, transaction

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
"""Arguments as those of `preview_deb.HOME`, then what apt-get is told."""


def words(want: Sequence[PackageWant], present: Sequence[Package]) -> tuple[str, ...]:
    """The last arguments of `DOWNLOAD`."""
    return apt.Apt().download(want, present, wait=transaction.LOCK_WAIT)


def failure(host: str, result: Result) -> Failure:
    """What `DOWNLOAD` died of."""
    return transaction.failure(host, result, "apt-get --download-only")

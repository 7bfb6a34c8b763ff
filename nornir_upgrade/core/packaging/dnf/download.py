"""How dnf is told to fetch what it will install later, from repositories that the host does not have yet: fixed scripts.

dnf knows these repositories by private copies (`preview_rpm`), so that nobody else on the host sees them; the files go where dnf looks
for them later, since it names the directory of a repository in its cache after nothing but its name and address. `keepcache`: what was
only downloaded is otherwise written down, and deleted by the next transaction, whatever that installs (dnf.conf(5); dnf/persistor.py,
tempfiles.json). A key that the repository names and that rpm does not know yet is imported, as the transaction itself would: a
signature that is not good is found now. Run for real with dnf 4.14.
"""

from collections.abc import Sequence

from nornir_upgrade.core.errors import Failure
from nornir_upgrade.core.packaging.file_source import SPACE
from nornir_upgrade.core.packaging.model import Package, PackageWant
from nornir_upgrade.core.transport.host import Result

from . import dnf4, preview
from . import failure as dnf_failure

FORMAT = preview.FORMAT
file_name = preview.file_name

# Names stand on standard input, a line each.
LIST = """\
while IFS= read -r name; do
  set -- /var/cache/dnf/*/packages/"$name"
  if [ -f "$1" ]; then printf '%s\\n' "$name"; fi
done
"""
DROP = """\
while IFS= read -r name; do
  for file in /var/cache/dnf/*/packages/"$name"; do
    [ -f "$file" ] || continue
    rm -f -- "$file" || exit
    rmdir -- "${file%/*}" "${file%/packages/*}" 2>/dev/null
  done
done
:
"""
DOWNLOAD = f"""\
cache=/var/cache/dnf
{SPACE}{preview.HOME}\
dnf --refresh makecache || short $?
umask 022
for data in "$root"/cache/*/repodata; do
  here=${{data%/repodata}}
  mkdir -p "$cache/${{here##*/}}/packages" && ln -s "$cache/${{here##*/}}/packages" "$here/packages" || short $?
done
option=$1; shift
printf '%s' "$@" |
  dnf -y --setopt=keepcache=True --downloadonly ${{option:+"$option"}} history replay /dev/stdin || short $?
"""
"""Arguments as those of `preview_rpm.HOME`, then an option or '', and a transaction as data, in pieces."""


def words(want: Sequence[PackageWant], present: Sequence[Package]) -> tuple[str, ...]:
    """The last arguments of `DOWNLOAD`."""
    return dnf4.Dnf().download(want, present)


def failure(host: str, result: Result) -> Failure:
    """What `DOWNLOAD` died of."""
    return dnf_failure.failure(host, result, "dnf --downloadonly")

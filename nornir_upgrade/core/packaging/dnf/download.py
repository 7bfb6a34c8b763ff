"""Downloads by dnf: fixed scripts that make dnf fetch package files, and install files that lie on the host.

Later installations come from repositories that the host does not have yet. dnf reads these from private copies (`preview`), which
no other process on the host sees. Files are stored where dnf looks for them later: it names a repository's cache directory only
after the repository's name and address. Without `keepcache`, the next transaction deletes downloaded files, whatever it installs
(dnf.conf(5); dnf/persistor.py, tempfiles.json). A key that the repository names and rpm does not know is imported, as the transaction
itself would: a bad signature is found now. Run for real with dnf 4.14.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from nornir_upgrade.core.errors import CommandFailed
from nornir_upgrade.core.packaging.model import Package, PackageWant
from nornir_upgrade.core.packaging.package_file import DELIVERED
from nornir_upgrade.core.transport.disk import SPACE
from nornir_upgrade.core.transport.host import Host

from . import dnf4, preview

DIRECTORY = "/var/cache/dnf"
COMMAND = "dnf --downloadonly"
PLUGIN = f"{DELIVERED}/plugin"
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
"""Arguments as those of `preview.HOME`, then an option or '', and a transaction as data, in pieces."""


def words(want: Sequence[PackageWant], present: Sequence[Package]) -> tuple[str, ...]:
    """The last arguments of `DOWNLOAD`."""
    return dnf4.Dnf().download(want, present)


# dnf(8) loads every plugin of its pluginpath; ours is one that is there for this one call.
_PLUGIN = b'''\
"""nornir-upgrade: the package files beside this directory can be had."""
import glob
import os

import dnf


class Escrow(dnf.Plugin):
    name = "nornir_upgrade_escrow"

    def sack(self):
        directory = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        self.base.add_remote_rpms(sorted(glob.glob(os.path.join(glob.escape(directory), "*.rpm"))))
'''

# Where dnf's plugins are otherwise, versionlock among them: the option that adds a directory must name the others again.
_PLUGIN_PATH = """\
exec "$(sed -n '1s/^#! *\\([^ ]*\\).*/\\1/p;q' "$(command -v dnf)")" -c '
import dnf
conf = dnf.Base().conf
conf.read()
print(",".join(conf.pluginpath))
'
"""

_CONFIGURATION = "/etc/dnf/dnf.conf"
# A repository that is gone must not stop the transaction: dnf(8) refuses a version all the same that nobody has.
_SKIP = ("--setopt=*.skip_if_unavailable=True",)


class DnfDelivery:
    """Files by a plugin of ours (`Base.add_remote_rpms`)."""

    program = "dnf"
    transaction_word = "replay"
    unfetched = "Error downloading packages"
    download_only: tuple[str, ...] = ("--setopt=keepcache=True", "--downloadonly")
    without_files: tuple[str, ...] = _SKIP

    def options(self, host: Host, paths: Sequence[str]) -> tuple[str, ...]:
        """Raises `CommandFailed` where dnf does not tell its plugins' directories."""
        host.run(("install", "-d", "-m", "0700", "--", PLUGIN))
        host.write(f"{PLUGIN}/nornir_upgrade_escrow.py", _PLUGIN, mode="0600")
        others = host.run(("sh", "-c", _PLUGIN_PATH)).text.strip()
        if not others:
            raise CommandFailed(host.name, "dnf's plugins", 0, "dnf does not say where its plugins are")
        return (f"--setopt=pluginpath={PLUGIN},{others}", *_SKIP)

    @contextmanager
    def offline(self, host: Host) -> Iterator[None]:
        """dnf takes the indexes that it has, however old (dnf.conf(5), cacheonly)."""
        host.run(("sed", "-i", "s/^\\[main\\]$/&\\ncacheonly=True/", _CONFIGURATION))
        try:
            yield
        finally:
            host.run(("sed", "-i", "/^cacheonly=True$/d", _CONFIGURATION), check=False)  # a failure within is raised

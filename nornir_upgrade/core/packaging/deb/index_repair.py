"""Indexes of a Debian host that broke, as on a disk that was full: found out by what their signed Release says, and fetched again.

apt takes an index for whole as long as its Release did not change, whatever became of the file: it goes first. dnf finds out by itself.
"""

from nornir_upgrade.core.errors import Unobtainable
from nornir_upgrade.core.transport.disk import refuse_full
from nornir_upgrade.core.transport.host import Host

from . import transaction

_TIMEOUT = 900.0  # seconds: indexes are fetched

# A signed file is whole where its signature's end is there, and some index of it must be. apt-get(8), indextargets: FILENAME is where
# an index lies, METAKEY its name in the Release file, which is called as the index is up to there. Of one that is kept compressed the
# Release does not tell the size.
DAMAGED = """\
command -v apt-get >/dev/null || exit 0
tab=$(printf '\\t')
for signed in /var/lib/apt/lists/*_InRelease; do
  [ -e "$signed" ] || continue
  set -- "${signed%InRelease}"*_Packages*
  [ -e "$1" ] && tail -n 5 -- "$signed" | grep -qxF -e '-----END PGP SIGNATURE-----' || printf '%s\\n' "$signed"
done
apt-get indextargets --format "\\$(FILENAME)$tab\\$(METAKEY)" 'Created-By: Packages' |
while IFS=$tab read -r file key; do
  release=${file%"$(printf %s "$key" | tr / _)"*}
  for signed in "${release}InRelease" "${release}Release"; do
    [ -e "$signed" ] || continue
    size=$(stat -L -c %s -- "$file")
    case $file in *Packages) ;; *) [ "$size" -eq 0 ] || continue ;; esac
    awk -v key="$key" -v size="$size" '$3 == key { if ($2 != size) exit 1 }' "$signed" || printf '%s\\n' "$file"
  done
done
"""
MEND = f"""\
damaged() {{
{DAMAGED}}}
damaged | while IFS= read -r file; do rm -f -- "$file" || exit; done
apt-get -q update >&2
damaged
"""


def mend(host: Host) -> tuple[str, ...]:
    """Afterwards no index of `host` is damaged; those that were fetched again are returned.

    Raises `DiskFull`, `PackageManagerLocked`, and `Unobtainable` naming those that could not be fetched.
    """
    damaged = host.run(("sh", "-c", DAMAGED, "sh"), timeout=_TIMEOUT).text.splitlines()
    if not damaged:
        return ()
    transaction.wait_until_quiet(host)
    result = host.run(("sh", "-c", MEND, "sh"), timeout=_TIMEOUT, check=False)
    if left := result.text.splitlines():
        refuse_full(host.name, 1, result.errors)
        raise Unobtainable(f"{host.name}: damaged indexes: {', '.join(left)}", hint=f"on {host.name}: apt-get update")
    return tuple(damaged)

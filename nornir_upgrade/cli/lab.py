"""Verbs of the lab: up, status, ssh, down."""

import os
import sys
from typing import TYPE_CHECKING, NoReturn

import click

from nornir_upgrade.console.exit_codes import Verbs
from nornir_upgrade.console.options import GENERAL, Flags, flags
from nornir_upgrade.console.output import Screen, columns
from nornir_upgrade.console.text import printable
from nornir_upgrade.core.errors import InvalidInput, UnknownName

if TYPE_CHECKING:
    from nornir_upgrade.lab.host import HostStatus
    from nornir_upgrade.lab.lab import Lab


@click.group(cls=Verbs)
def lab() -> None:
    """A small real fleet on this machine.

    Debian and RPM hosts in namespaces: an old release that runs, and the repositories of a new one to go to. Or ordinary servers
    of Debian 12, with the archive to go on from.
    """


@lab.command(
    epilog="""\b
Examples:
  nornir-upgrade lab up
  nornir-upgrade lab up ordinary
  rollback -c .lab/ordinary/config.yaml snapshot"""
)
@click.argument("fleet", default="demo", type=click.Choice(("demo", "ordinary")))
@flags(*GENERAL)
def up(flags: Flags, fleet: str) -> None:
    """Start FLEET; build what is missing.

    `demo`, which is meant where none is named: the seven hosts of the example inventory. `ordinary`: six servers of Debian 12 with
    web servers, databases and mail, as administrators have them; their inventory is written into the lab's directory, and named.
    Both may be up at a time. What runs already is left as it is. Needs root.
    """
    screen = Screen(flags)
    found = _lab(flags, screen)
    (_ordinary if fleet == "ordinary" else _demo)(found, screen)
    _show(screen, found.status())


@lab.command(
    epilog="""\b
Examples:
  nornir-upgrade lab status -o json"""
)
@flags(*GENERAL)
def status(flags: Flags) -> None:
    """The hosts of the lab, and whether they run."""
    screen = Screen(flags)
    _show(screen, _lab(flags, screen).status())


@lab.command(
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    epilog="""\b
Examples:
  nornir-upgrade lab ssh ctl1
  nornir-upgrade lab ssh cmp1 systemctl status nova-compute""",
)
@click.argument("host")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@flags(*GENERAL)
def ssh(flags: Flags, host: str, command: tuple[str, ...]) -> NoReturn:
    """A shell on HOST, or COMMAND there; as root, but where root may not log in (web2: ops)."""
    found = _lab(flags, Screen(flags))
    names = [one.name for one in found.status()]
    if host not in names:
        raise UnknownName("host in the lab", host, names)
    sys.stdout.flush()
    try:
        os.execvp("ssh", ["ssh", "-F", str(found.ssh_config), "--", host, *command])
    except FileNotFoundError:
        raise InvalidInput("there is no ssh on this machine", hint="apt-get install openssh-client") from None


@lab.command(
    epilog="""\b
Examples:
  nornir-upgrade lab down
  nornir-upgrade lab down --purge"""
)
@click.option("--purge", is_flag=True, help="Remove the cache of bases and downloads, too.")
@flags(*GENERAL)
def down(flags: Flags, purge: bool) -> None:
    """Remove the lab.

    No process, mount, namespace or file of it is left, also after a crash in the middle. Twice is once.
    """
    screen = Screen(flags)
    found = _lab(flags, screen)
    found.down(purge=purge)
    screen.result({"hosts": []}, "The lab is gone.")


def _demo(lab: "Lab", screen: Screen) -> None:
    from nornir_upgrade.lab import provision
    from nornir_upgrade.lab.rpm import provision as rpm_provision

    for family in (provision, rpm_provision):
        family.up(lab, lambda text: screen.note(printable(text)))


def _ordinary(lab: "Lab", screen: Screen) -> None:
    import time

    from nornir_upgrade.lab import ordinary

    begin = time.monotonic()
    config = ordinary.up(lab, lambda text: screen.note(printable(text)))
    screen.note(f"the ordinary fleet is up after {time.monotonic() - begin:.0f} s")
    screen.note(f"its configuration and inventory: {printable(str(config))} (nornir-upgrade -c FILE …)")


def _lab(flags: Flags, screen: Screen) -> "Lab":
    from nornir_upgrade.config import settings
    from nornir_upgrade.lab.lab import Lab

    return Lab(settings.lab_of(flags.config), progress=lambda text: screen.note(printable(text)))


def _show(screen: Screen, hosts: "tuple[HostStatus, ...]") -> None:
    from nornir_upgrade.core import codec

    rows = [
        (one.name, one.base, one.state, f"{one.address}:{one.port}", "yes" if one.linked else "cut off")
        for one in hosts
    ]
    text = (
        columns(("host", "base", "state", "ssh", "network"), rows) if rows else "There is no lab: nornir-upgrade lab up"
    )
    screen.result({"hosts": codec.to_builtins(hosts)}, text)

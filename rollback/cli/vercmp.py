"""`rollback vercmp`: which of two versions is the newer one, for one pair or for millions."""

import sys
from collections.abc import Iterable

import click

from nornir_upgrade.console.options import GENERAL, Flags, flags
from nornir_upgrade.console.output import Screen
from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.version.evr import Flavour, sort_key

_STDIN = "-"
_SIGNS = {-1: "<", 0: "=", 1: ">"}


@click.command(
    epilog="""\b
Examples:
  rollback vercmp deb 1.0~rc1-1 1.0-1
  rollback vercmp rpm 1.0^git1-1 1.0.1-1
  printf '1.0\\t1.0-0\\n' | rollback vercmp deb -

A version is whole: [epoch:]version[-revision]. Whatever dpkg or rpm would compare is compared, well
formed or not. A version that dpkg cannot read ends with exit code 10, and nothing is printed on stdout."""
)
@click.argument("flavour", type=click.Choice(["deb", "rpm"]), metavar="deb|rpm")
@click.argument("a", metavar="A|-")
@click.argument("b", required=False, metavar="[B]")
@flags(*GENERAL)
def vercmp(flags: Flags, flavour: Flavour, a: str, b: str | None) -> None:
    """Compare version A with version B, and print <, = or >.

    With - in place of both: read pairs from standard input, separated by a tab, one a line, and print -1, 0 or 1 for each.
    """
    screen = Screen(flags)
    if b is not None:
        sign = _SIGNS[_order(a, b, flavour)]
        screen.result({"order": sign}, sign)
    elif a == _STDIN:
        orders = orders_of(sys.stdin.buffer, flavour)
        if flags.json or orders:
            screen.result({"orders": orders}, "\n".join(map(str, orders)))
    else:
        raise click.UsageError("a second version is missing, or - to read pairs from standard input")


def orders_of(lines: Iterable[bytes], flavour: Flavour) -> list[int]:
    """-1, 0 or 1 for each line `A<tab>B`. Raises `InvalidInput` with the number of the first line that has no such form."""
    orders = []
    for number, line in enumerate(lines, 1):
        first, tab, second = line.removesuffix(b"\n").decode("utf-8", "surrogateescape").partition("\t")
        try:
            if not tab or "\t" in second:
                raise InvalidInput("not two versions with one tab between them")
            orders.append(_order(first, second, flavour))
        except InvalidInput as refusal:
            raise InvalidInput(f"standard input, line {number}: {refusal.message}", hint=refusal.hint) from None
    return orders


def _order(first: str, second: str, flavour: Flavour) -> int:
    left, right = sort_key(first, flavour), sort_key(second, flavour)
    return (left > right) - (left < right)

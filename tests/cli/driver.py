"""`nornir-upgrade` over fake hosts, as a program: `python -m tests.cli.driver VERB …`."""

import tests.core.toys  # noqa: F401  (its kinds of steps)
from nornir_upgrade.cli import main
from tests.cli.site import stand_in

stand_in()
main()

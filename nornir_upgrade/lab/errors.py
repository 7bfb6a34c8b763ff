"""What goes wrong with the lab."""

from nornir_upgrade.core.errors import Failure


class LabError(Failure):
    """The lab could not be brought into the state that was asked for."""

    reference = "lab"

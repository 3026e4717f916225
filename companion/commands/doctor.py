"""`posture doctor`: placeholder."""

from companion.commands.options import DoctorOptions


def run(options: DoctorOptions) -> int:
    """To be written."""
    raise NotImplementedError

"""`posture conformance`: placeholder."""

from companion.commands.options import ConformanceOptions


def run(options: ConformanceOptions) -> bool:
    """To be written."""
    raise NotImplementedError

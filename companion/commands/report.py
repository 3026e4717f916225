"""`posture report`: a page to read."""

from companion.commands.options import ReportOptions


def run(options: ReportOptions) -> None:
    raise NotImplementedError(options)

"""`posture history`: how days compare."""

from companion.commands.options import HistoryOptions


def run(options: HistoryOptions) -> None:
    raise NotImplementedError(options)

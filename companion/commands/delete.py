"""`posture delete`: recordings, forgotten."""

from companion.commands.options import DeleteOptions


def run(options: DeleteOptions) -> None:
    raise NotImplementedError(options)

"""`posture verify`: is a recording whole."""

from companion.commands.options import VerifyOptions


def run(options: VerifyOptions) -> bool:
    raise NotImplementedError(options)

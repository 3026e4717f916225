"""The terminal's bell: the one cue that reaches a wearer who does not look.

Knows: a stream. Must never know: why it rings. Where the stream is no terminal nothing is written, so that no
control character ends up in a file or a pipe.
"""

from typing import TextIO

BELL = "\a"


class TerminalBell:
    """Rings the bell of the terminal behind `stream`, if there is one."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def ring(self) -> bool:
        """Ring once; False where there is no terminal, or it is gone."""
        try:
            if not self._stream.isatty():
                return False
            self._stream.write(BELL)
            self._stream.flush()
        except (OSError, ValueError):  # the terminal was closed meanwhile
            return False
        return True

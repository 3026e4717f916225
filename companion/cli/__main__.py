"""`python -m companion.cli`: the same as the command `posture`. Knows: the application."""

import sys

from companion.cli import main

if __name__ == "__main__":
    sys.exit(main())

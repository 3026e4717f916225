"""What a run in the guest comes to: boot again, skipped, failed or passed. Pure; knows no QEMU and no pytest.

A guest that never becomes ready says nothing about this project: emulators and young kernels stumble now and then.
One that became ready and then died or hung does, and so does any test that fails in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

ATTEMPTS = 3
PASSED, FAILED, SKIPPED = 0, 1, 77
"""Exit codes; 77 is what Automake's tests have long used for *skipped*."""


@dataclass(frozen=True, slots=True)
class Boot:
    """What was seen of one boot.

    ready: bluetoothd was on the bus. status: the exit status of the tests, None where none came back.
    overdue: it was ended because its time was up.
    """

    ready: bool
    status: int | None = None
    overdue: bool = False


class Outcome(Enum):
    """What follows: another boot, or an end with the name it has in the file `verdict`."""

    AGAIN = "again"
    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"

    @property
    def exit_code(self) -> int:
        """What the program ends with; there is none for AGAIN."""
        return {Outcome.PASSED: PASSED, Outcome.FAILED: FAILED, Outcome.SKIPPED: SKIPPED}[self]


def outcome_of(boots: Sequence[Boot]) -> tuple[Outcome, str]:
    """What the boots so far (at least one) come to, and that in a sentence."""
    last = boots[-1]
    if last.ready:
        return _of_tests(last)
    count = f"boot {len(boots)} of {ATTEMPTS}"
    if len(boots) < ATTEMPTS:
        return Outcome.AGAIN, f"The guest never became ready ({count}); once more."
    return Outcome.SKIPPED, f"The guest never became ready ({count}): nothing was tested."


def _of_tests(boot: Boot) -> tuple[Outcome, str]:
    if boot.status == 0:
        return Outcome.PASSED, "All tests in the guest passed."
    if boot.status is not None:
        return Outcome.FAILED, f"Tests in the guest failed (pytest ended with {boot.status})."
    how = "did not end in time" if boot.overdue else "died"
    return Outcome.FAILED, f"The guest became ready and then {how}."

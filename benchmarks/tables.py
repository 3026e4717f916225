"""How a measurement is told: Markdown tables, and above them when, where, with what and by which command.

Knows: figures and their names. Must never know: how a figure was measured.
"""

import platform
import shlex
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("posture-companion", "numpy", "scipy", "vqf", "imufusion")


@dataclass
class Table:
    """Rows of figures, filled one by one; `note` says what is counted, `wanted` stands in the last column."""

    title: str
    note: str
    columns: tuple[str, ...]
    digits: int = 2
    rows: dict[str, dict[str, float]] = field(default_factory=dict)
    wanted: dict[str, str] = field(default_factory=dict)

    def add(self, case: str, figures: dict[str, float], wanted: str = "") -> None:
        """One row; a column without a figure stays empty."""
        self.rows[case], self.wanted[case] = figures, wanted

    def markdown(self) -> str:
        """The table as text, with its title and its note."""
        heads = ["case", *self.columns, "wanted"]
        lines = [" | ".join(heads), "|".join(["---"] + ["---:"] * (len(heads) - 2) + ["---"])]
        for case, figures in self.rows.items():
            cells = [f"{figures[name]:.{self.digits}f}" if name in figures else "" for name in self.columns]
            lines.append(" | ".join([case, *cells, self.wanted[case]]))
        return "\n".join([f"## {self.title}", "", self.note, "", *(f"| {line} |" for line in lines)])


def heading(what: str) -> str:
    """A title, then when, where and by which command."""
    arguments = shlex.join([f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]])
    made_on = f"{datetime.now(UTC):%Y-%m-%d}, {_processor()}, {platform.system()}, Python {platform.python_version()}"
    return f"# {what}\n\n`python {arguments}`\n\n{made_on}; {', '.join(map(_with_version, PACKAGES))}"


def show(what: str, tables: Iterable[Table]) -> None:
    """Print everything, each table as soon as it is there."""
    print(heading(what), flush=True)
    for table in tables:
        print(f"\n{table.markdown()}", flush=True)


def chosen(names: Iterable[str], only: str) -> list[str]:
    """Which parts to measure: all, or those named in `only` (separated by commas)."""
    known = list(names)
    asked = [name for name in only.split(",") if name] or known
    unknown = [name for name in asked if name not in known]
    if unknown:
        raise SystemExit(f"no part is named {', '.join(unknown)}; there are {', '.join(known)}")
    return [name for name in known if name in asked]


def _with_version(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return f"{package} missing"


def _processor() -> str:
    try:
        told = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    models = [line.partition(":")[2].strip() for line in told.splitlines() if line.startswith("model name")]
    return models[0] if models else platform.machine()

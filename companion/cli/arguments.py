"""Options that several commands share: their names, forms and help texts.

Knows: typer. Must never know: commands.
"""

from pathlib import Path
from typing import Annotated

import typer

from companion.commands.words import seconds

STORIES = (
    "demo, upright, slouch, slouch-29s, slouch-31s, slouch-10min, slouch-50min, fidget, desk-hour, walk-and-sit, "
    "lie-down"
)

Alias = Annotated[str | None, typer.Argument(metavar="ALIAS", help="The sensor; without it, the first one paired.")]
Simulated = Annotated[
    str | None,
    typer.Option(metavar="[STORY]", help="A simulated sensor: a built-in story (demo) or a motion file (.npz)."),
]
Device = Annotated[
    str | None, typer.Option(metavar="NAME", help="With --simulated: a sensor of this driver, or several: NAME,NAME.")
]
Fault = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KIND@START[+LENGTH]",
        help="What goes wrong in the simulation, such as link@20+20. Repeatable.",
    ),
]
Plain = Annotated[bool, typer.Option("--plain", help="Plain lines instead of a screen.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line, for programs.")]
Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting for this run. Repeatable.")
]
Profile = Annotated[str | None, typer.Option(metavar="NAME", help="desk, standing, sofa or one of your own.")]
Mode = Annotated[str | None, typer.Option(metavar="coach|track", help="coach alerts; track only counts.")]
Duration = Annotated[float | None, typer.Option(parser=seconds, metavar="S", help="Stop after so many seconds.")]
DataDir = Annotated[
    Path | None,
    typer.Option(metavar="DIR", envvar="POSTURE_DATA_DIR", help="Keep everything this program stores here."),
]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Say more on stderr.")]

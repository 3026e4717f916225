"""The tables of the specification, written from the fields that the codec uses.

Pure: text in, text out. Knows: Markdown. Must never know: where the specification lies.
"""

import re
from collections.abc import Iterable, Sequence

from firmware_protocol.posture_v1 import packets
from firmware_protocol.posture_v1.packets import ANSWERS, COMMANDS, MOTION_LAYOUT, Info, Status
from firmware_protocol.posture_v1.wire import Field, Opcode

_BLOCK = re.compile(r"<!-- table: (?P<name>\w+) -->\n.*?<!-- end -->", re.DOTALL)
_GATT = (
    ("Motion", packets.MOTION, "notify"),
    ("Control", packets.CONTROL, "write (with response), indicate"),
    ("Status", packets.STATUS, "read, notify"),
    ("Info", packets.INFO, "read"),
)


def render(text: str) -> str:
    """`text` with what stands between `<!-- table: NAME -->` and `<!-- end -->` written anew; may raise KeyError."""
    tables = all_tables()
    return _BLOCK.sub(lambda found: _block(found["name"], tables[found["name"]]), text)


def all_tables() -> dict[str, str]:
    """Every table by its name: `gatt`, `Motion` and one for each message of fixed length."""
    messages = {*COMMANDS.values(), *ANSWERS.values(), Status, Info}
    tables = {message.__name__: _fields(message.LAYOUT) for message in messages}
    samples = Field("samples", "id", "N samples, N ≥ 1")
    tables["Motion"] = _fields((*MOTION_LAYOUT, samples))
    tables["gatt"] = _table(("characteristic", "UUID", "properties"), ((a, f"`{b}`", c) for a, b, c in _GATT))
    return tables


def names_in(text: str) -> list[str]:
    """The names of the tables that `text` asks for, in order."""
    return [found["name"] for found in _BLOCK.finditer(text)]


def _block(name: str, table: str) -> str:
    return f"<!-- table: {name} -->\n{table}\n<!-- end -->"


def _fields(layout: Sequence[Opcode | Field]) -> str:
    rows, offset = [], 0
    for field in layout:
        kind = {"id": f"{field.size} bytes"}.get(field.kind, field.kind) if field.name != "samples" else ""
        rows.append((str(offset), kind, f"`{field.name}`", field.meaning))
        offset += field.size
    return _table(("offset", "type", "field", "meaning"), rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)

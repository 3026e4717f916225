"""The specification says what the code does: its tables, its UUIDs, its session in bytes."""

import re
from pathlib import Path

import numpy as np
import pytest

import firmware_protocol as fp
from firmware_protocol.posture_v1.decoder import Decoder
from firmware_protocol.posture_v1.packets import CONTROL, MOTION, SERVICE, Motion, parse_answer, parse_command
from firmware_protocol.posture_v1.tables import all_tables, names_in, render

SPECIFICATION = Path(fp.__file__).parent / "README.md"
AGAIN = "write it anew: Path(p).write_text(render(Path(p).read_text())) with render from posture_v1/tables.py"


@pytest.fixture(scope="module")
def text() -> str:
    return SPECIFICATION.read_text(encoding="utf-8")


def test_tables_are_those_of_the_code(text: str) -> None:
    assert render(text) == text, AGAIN


def test_every_table_is_shown_once(text: str) -> None:
    assert sorted(names_in(text)) == sorted(all_tables())


def test_a_changed_table_is_noticed(text: str) -> None:
    broken = text.replace("| 1 | u8 | `stream` |", "| 2 | u8 | `stream` |")
    assert broken != text
    assert render(broken) == text
    with pytest.raises(KeyError):
        render("<!-- table: Nonsense -->\n<!-- end -->")


def test_offsets_are_those_of_the_bytes(text: str) -> None:
    table = all_tables()["TimeAnswer"].splitlines()
    assert [line.split("|")[1].strip() for line in table[2:]] == ["0", "1", "2", "3", "7", "15", "16", "17", "18"]
    assert table[2] == "| 0 | u8 | `opcode` | 0x83 |"


def test_the_service_is_named(text: str) -> None:
    assert f"Service `{SERVICE}`" in text


def test_the_session_in_bytes_is_a_session(text: str) -> None:
    rows = re.findall(r"^\| (host →|← sensor) \| (Control|Motion) \| `([0-9a-f ]+)` \|", text, re.MULTILINE)
    assert len(rows) == 8
    frames: list[fp.Frame] = []
    for direction, characteristic, digits in rows:
        data = bytes.fromhex(digits)
        if direction == "host →":
            assert parse_command(data).to_bytes() == data
            continue
        message = Motion.from_bytes(data) if characteristic == "Motion" else parse_answer(data)
        assert message.to_bytes() == data
        uuid = MOTION if characteristic == "Motion" else CONTROL
        frames.append(fp.Notification(t_host_ns=0, characteristic=uuid, data=data))
    decoded = Decoder().feed(frames)
    assert (len(decoded.samples), decoded.lost, decoded.malformed) == (2, 0, ())
    assert decoded.samples["acc_mps2"][0] / fp.STANDARD_GRAVITY_MPS2 == pytest.approx([1, -0.5, 8 / 32768])
    assert np.rad2deg(decoded.samples["gyr_radps"][0]) == pytest.approx([-0.030518, 999.969482, -1000], abs=1e-6)

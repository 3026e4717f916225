"""Delimiters, decimal signs, encodings, headers, comments: the same numbers come out of every common shape."""

import re

import numpy as np
import pytest

from companion.errors import UsageError
from companion.importing.headers import Said, said
from companion.importing.numbers import Wanted, take
from companion.importing.shape import shape_of
from companion.importing.units import asked, spelled
from companion.importing.words import lines

HEADER = ["t_s", "acc_x_g", "acc_y_g", "acc_z_g"]
ROWS = [[0.0, 0.25, -0.5, 1.0], [0.02, 0.125, 0.0, 1.5], [0.04, -1.0, 0.75, 0.5]]


def text(mark: str, comma: bool = False, header: bool = True, quoted: bool = False) -> str:
    cells = [[f"{v:.3f}".replace(".", "," if comma else ".") for v in row] for row in ROWS]
    rows = [HEADER, *cells] if header else cells
    return "".join(mark.join(f'"{c}"' if quoted else c for c in row) + "\n" for row in rows)


SHAPES = [
    ("commas", text(",")),
    ("semicolons", text(";")),
    ("tabs", text("\t")),
    ("bars", text("|")),
    ("blanks", text("   ")),
    ("semicolons, decimal commas", text(";", comma=True)),
    ("tabs, decimal commas", text("\t", comma=True)),
    ("commas, quoted", text(",", quoted=True)),
    ("commas, quoted decimal commas with semicolons", text(";", comma=True, quoted=True)),
    ("CRLF", text(",").replace("\n", "\r\n")),
    ("CR", text(",").replace("\n", "\r")),
    ("no newline at the end", text(",").removesuffix("\n")),
    ("blank lines", text(",").replace("\n", "\n\n")),
    ("cells with blanks around them", text(" , ")),
    ("a delimiter at the end of rows", text(",").replace("\n", ",\n").replace("g,\n", "g\n")),
    ("UTF-8 with a mark", b"\xef\xbb\xbf" + text(",").encode()),
    ("UTF-16", text(",").encode("utf-16")),
    ("UTF-16, big end first", b"\xfe\xff" + text(",").encode("utf-16-be")),
    ("Latin-1", b"# 20\xb0C\n" + text(",").encode()),
    ("comments", "# made by x\n// y\n% z\n" + text(",").replace("\n0.02", "\n# here\n0.02")),
    ("the header in a comment", "# " + text(",")),
    ("sep=", "sep=;\n" + text(";")),
    ("a preamble", "Device: A1\nRate,50\nNotes, several words, and commas\n\n" + text(",")),
    ("a row of units", "t,acc_x,acc_y,acc_z\ns,g,g,g\n" + text(",", header=False)),
    ("a label in each row", text(",").replace("_g\n", "_g,label\n").replace("0\n", "0,sit\n")),
]


@pytest.mark.parametrize(("name", "data"), SHAPES, ids=[name for name, _ in SHAPES])
def test_a_shape_gives_the_numbers(read_text, name: str, data: str | bytes) -> None:
    found = read_text(data)
    g = np.array(ROWS)
    np.testing.assert_array_equal(found.t_ns, [0, 20_000_000, 40_000_000])
    np.testing.assert_array_equal(found.acc_mps2, g[:, 1:] * 9.80665)
    assert sum(found.left_out.values()) == 0


@pytest.mark.parametrize("mark", [",", ";", "\t", "|", " "])
def test_columns_without_names_go_by_their_numbers(read_text, mark: str) -> None:
    found = read_text(text(mark, header=False), "t=1,ax=2,ay=3,az=4", "acc=g")
    np.testing.assert_array_equal(found.acc_mps2, np.array(ROWS)[:, 1:] * 9.80665)


def test_a_column_is_found_by_its_name_before_its_number_and_capitals_do_not_count(read_text) -> None:
    found = read_text("Time,2,AX,AZ\n0,0,0,1\n1,0,0,1\n", "t=time,ax=3,ay=2,az=az", "acc=g")
    assert dict(found.chosen.main.plan.columns) == {"t": 0, "ax": 2, "ay": 1, "az": 3}


NAMES = [
    ("Accel X (g)", Said("acc", "x", "g")),
    ("acc_x[m/s^2]", Said("acc", "x", "mps2")),
    ("Gyro.X (deg/s)", Said("gyr", "x", "dps")),
    ("gx_dps", Said("gyr", "x", "dps")),
    ("gx (rad/s)", Said("gyr", "x", "radps")),
    ("gx_g", Said("acc", "x", "g")),
    ("timestamp_ms", Said("t", "", "ms")),
    ("Time (s)", Said("t", "", "s")),
    ("time", Said("t", "", None)),
    ("AccX", Said("acc", "x", None)),
    ("ax_mps2", Said("acc", "x", "mps2")),
    ("a_z (m/s²)", Said("acc", "z", "mps2")),
    ("AsY(°/s)", Said("gyr", "y", "dps")),
    ("Acceleration Y(g)", Said("acc", "y", "g")),
    ("X [mg]", Said("acc", "x", "mg")),
    ("z-axis (deg/s)", Said("gyr", "z", "dps")),
    ("Linear Acceleration x (m/s^2)", Said("free", "x", "mps2")),
    ("userAccelerationX(G)", Said("free", "x", "g")),
    ("X [G]", None),  # gauss
    ("x", None),
    ("mag_x_uT", None),
    ("acc_x (ft/s2)", None),
    ("temperature (K)", None),
    ("acc_x_dps", None),
    ("time_g", None),
    ("", None),
]


@pytest.mark.parametrize(("name", "meant"), NAMES)
def test_what_a_name_says(name: str, meant: Said | None) -> None:
    assert said(name) == meant


UNITS = [
    ("m/s2", ("acc", "mps2")), ("m/s^2", ("acc", "mps2")), ("m/(s^2)", ("acc", "mps2")), ("M/S²", ("acc", "mps2")),
    ("g", ("acc", "g")), ("mg", ("acc", "mg")), ("cm/s2", ("acc", "cmps2")),
    ("rad/s", ("gyr", "radps")), ("deg/s", ("gyr", "dps")), ("°/s", ("gyr", "dps")), ("d/s", ("gyr", "dps")),
    ("mdps", ("gyr", "mdps")), ("µs", ("t", "us")), ("ns", ("t", "ns")), ("lbs", None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "meant"), UNITS)
def test_how_units_are_spelled(text: str, meant: tuple[str, str] | None) -> None:
    assert spelled(text) == meant


@pytest.mark.parametrize(
    ("kind", "text", "factor"),
    [("acc", "g", 9.80665), ("acc", "mps2", 1.0), ("acc", "m/s2", 1.0), ("acc", "mg", 0.00980665),
     ("acc", "-g", -9.80665), ("acc", "cmps2", 0.01), ("gyr", "radps", 1.0), ("gyr", "deg/s", np.pi / 180),
     ("gyr", "mdps", np.pi / 180_000),
     ("t", "s", 1e9), ("t", "us", 1e3)],
)  # fmt: skip
def test_units_that_are_asked_for(kind: str, text: str, factor: float) -> None:
    assert asked(kind, text).factor(kind) == pytest.approx(factor, rel=1e-15)


@pytest.mark.parametrize(("kind", "text"), [("acc", "dps"), ("t", "-s"), ("gyr", "-dps"), ("acc", "--g"), ("gyr", "")])
def test_units_that_are_none(kind: str, text: str) -> None:
    with pytest.raises(UsageError, match="--units does not know"):
        asked(kind, text)


CELLS = [
    ("1,2,3", [1, 2, 3]), ("1, 2 ,3", [1, 2, 3]), ("1e3,-2E-1,+.5", [1000, -0.2, 0.5]), ("nan,2,3", [None, 2, 3]),
    (",2,", [None, 2, None]), (",,", [None, None, None]), ("1_000,2,3", [None, 2, 3]), ("=1+1,2,3", [None, 2, 3]),
    ("'-1,2,3", [None, 2, 3]), ("0x10,2,3", [None, 2, 3]), ("1\0,2,3", [None, 2, 3]), ("١,2,3", [None, 2, 3]),
    ("inf,1e999,3", [np.inf, np.inf, 3]), ('"1","2","3"', [1, 2, 3]), ("1,2", None), ("#1,2,3", "comment"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "numbers"), CELLS, ids=range(len(CELLS)))
@pytest.mark.parametrize("beside", ["", "7,8,9\n", '"7",8,9\n'], ids=["alone", "clean", "quoted"])
def test_what_is_a_number_does_not_depend_on_the_lines_beside_it(line: str, numbers: list, beside: str) -> None:
    wanted = Wanted(delimiter=",", comma=False, places=(0, 1, 2), t_place=None, t_form="", t_unit="s", label_place=None)
    found = take(beside + line + "\n", wanted)
    rows = [[7.0, 8.0, 9.0]] * bool(beside) + ([numbers] if isinstance(numbers, list) else [])
    expected = np.array([[np.nan if v is None else v for v in row] for row in rows]).reshape(-1, 3)
    np.testing.assert_array_equal(found.values, expected)
    assert found.short == (numbers is None)


def test_the_place_of_the_header_is_told() -> None:
    shape = shape_of("Device,A\n\n# c\n" + text(","), "utf-8")
    assert (shape.header_line, shape.first_line, shape.words()) == (3, 4, "commas, header in line 4")
    assert shape.preamble == ("Device,A", "", "# c")


def test_the_report_of_a_file(read_text) -> None:
    rows = "".join(f"{i * 20},0,0,{1 + i / 1000},{'' if i == 3 else 1},0,0\n" for i in range(50) if not 20 <= i < 25)
    found = read_text("t_ms;ax (g);ay (g);az (g);gx (deg/s);gy (deg/s);gz (deg/s)\n".replace(";", ",") + rows)
    told = lines(found, 50.0, False, "1 s")
    assert re.sub(r"\s+", " ", " ".join(told[:-7])).endswith(": names with units; commas, header in line 1")
    assert told[-7:] == [
        "time          't_ms' in ms",
        "started       not told: the time of this import stands for it",
        "acceleration  'ax (g)', 'ay (g)', 'az (g)' in g",
        "angular rate  'gx (deg/s)', 'gy (deg/s)', 'gz (deg/s)' in °/s",
        "samples       44 samples at 50 Hz, 1 s; 2 gaps, the longest of 0.12 s, 6 samples",
        "              lost",
        "left out      1 row without the angular rate that others have",
    ]
    assert max(map(len, told)) <= 80


EXTRA = "time_s,acc_x_mps2,acc_y_mps2,acc_z_mps2\n"


@pytest.mark.parametrize("quote", ["", '"'], ids=["plain", "quoted"])
def test_rows_with_more_cells_than_the_header_are_left_out_and_counted(read_text, quote: str) -> None:
    rows = [f"{i / 50},{quote}0.1{quote},0,9.8" for i in range(20)]
    rows[7] = "0.14,0,1,0,9.8"
    found = read_text(EXTRA + "\n".join([*rows, ""]))
    assert found.left_out["with more cells than the header names"] == 1
    assert len(found.acc_mps2) == 19
    assert (found.acc_mps2 == [0.1, 0, 9.8]).all()


@pytest.mark.parametrize("end", [",", ", ", ",,\r"])
def test_empty_cells_at_the_end_of_a_row_are_no_more(read_text, end: str) -> None:
    found = read_text(EXTRA + "".join(f"{i / 50},0.1,0,9.8{end}\n" for i in range(20)))
    assert sum(found.left_out.values()) == 0
    assert len(found.acc_mps2) == 20


def test_what_no_sensor_measures_is_left_out_and_counted(read_text) -> None:
    found = read_text(EXTRA + "".join(f"{i / 50},{'1e300' if i == 5 else 0},0,9.8\n" for i in range(20)))
    assert found.left_out["with a cell that is empty or no number"] == 1
    assert len(found.acc_mps2) == 19

"""CSV to motion: what explains itself, what must be named, what is refused."""

from pathlib import Path

import numpy as np
import pytest

from companion.errors import UsageError
from companion.importing.columns import parse_map
from companion.importing.reader import Imported
from companion.importing.reader import read as read_path

G = 9.80665


@pytest.fixture
def read(tmp_path: Path):
    def read_text(text: str, columns: str = "", units: str = "") -> Imported:
        path = tmp_path / "motion.csv"
        path.write_bytes(text.encode("utf-8"))
        return read_path(path, columns, units)

    return read_text


def values(motion: Imported) -> tuple:
    gyr = None if motion.gyr_radps is None else motion.gyr_radps.tolist()
    t_s = None if motion.t_ns is None else ((motion.t_ns - motion.t_ns[0]) / 1e9).tolist()
    return t_s, motion.acc_mps2.tolist(), gyr, sum(motion.left_out.values())


OWN = "t_s,acc_x_mps2,acc_y_mps2,acc_z_mps2,gyr_x_radps,gyr_y_radps,gyr_z_radps,sagittal_deg,lateral_deg\n"


def test_our_own_samples_table_explains_itself(read) -> None:
    motion = read(OWN + "5.02,0.1,0.2,9.8,1,2,3,4.5,\n5.04,0.0,0.0,9.9,-1,-2,-3,,\n")
    t_s, acc, gyr, passed_over = values(motion)
    assert t_s == pytest.approx([0.0, 0.02])
    assert acc == [[0.1, 0.2, 9.8], [0.0, 0.0, 9.9]]
    assert gyr == [[1, 2, 3], [-1, -2, -3]]
    assert passed_over == 0
    plan = motion.chosen.main.plan
    assert [plan.words(kind) for kind in ("t", "acc", "gyr")] == [
        "'t_s' in s",
        "'acc_x_mps2', 'acc_y_mps2', 'acc_z_mps2' in m/s²",
        "'gyr_x_radps', 'gyr_y_radps', 'gyr_z_radps' in rad/s",
    ]


def test_our_own_table_of_a_sensor_without_gyroscope(read) -> None:
    assert values(read(OWN + "0,0,0,9.8,,,,,\n1,0,9.8,0,,,,,\n")) == (
        [0, 1],
        [[0, 0, 9.8], [0, 9.8, 0]],
        None,
        0,
    )


def test_a_row_without_the_rates_that_others_have_is_passed_over(read) -> None:
    motion = read(OWN + "0,0,0,9.8,1,2,3,,\n1,0,9.8,0,,,,,\n2,0,0,9.8,4,5,6,,\n")
    assert values(motion) == ([0, 2], [[0, 0, 9.8]] * 2, [[1, 2, 3], [4, 5, 6]], 1)


UNDERSTOOD = [
    ("ACC_X_G,ACC_Y_G,ACC_Z_G\n0,0,1\n", "", "", (None, [[0, 0, G]], None, 0)),
    ("acc_x_mg,acc_y_mg,acc_z_mg\n0,500,-1000\n", "", "", (None, [[0, G / 2, -G]], None, 0)),
    ("t_ms,acc_x_g,acc_y_g,acc_z_g\n1000,0,0,1\n1020,0,0,1\n", "", "", ([0, 0.02], [[0, 0, G]] * 2, None, 0)),
    ("time,X,Y,Z\n7,0,0,9.8\n", "t=time,ax=X,ay=Y,az=Z", "", ([0], [[0, 0, 9.8]], None, 0)),
    ("time;X;Y;Z\n7,5;0;0;0,98\n8;0;0;1\n", "t=time,ax=X,ay=Y,az=Z", "acc=g",
     ([0, 0.5], [[0, 0, 0.98 * G], [0, 0, G]], None, 0)),
    ("X\tY\tZ\n0\t0\t1\n", "ax=X, ay=Y, az=Z", "acc=g", (None, [[0, 0, G]], None, 0)),
    ("0,0,9.8\n0,9.8,0\n", "ax=1,ay=2,az=3", "", (None, [[0, 0, 9.8], [0, 9.8, 0]], None, 0)),
    ("\ufeffX,Y,Z\r\n0,0,9.8\r\n\r\n", "ax=X,ay=Y,az=Z", "", (None, [[0, 0, 9.8]], None, 0)),
    ('"a, x",Y,Z\n0,0,9.8\n', "ax=X,ay=Y,az=Z", "", "no column 'X'"),
    ("X,Y,Z,a,b,c\n0,0,9.8,180,0,-180\n", "ax=X,ay=Y,az=Z,gx=a,gy=b,gz=c", "gyr=dps",
     (None, [[0, 0, 9.8]], [[np.pi, 0, -np.pi]], 0)),
    # rows that cannot be used are counted
    ("X,Y,Z\n0,0,9.8\n0,0\n0,0,oops\n0,0,nan\n0,,1\n0,0,9.9\n", "ax=X,ay=Y,az=Z", "",
     (None, [[0, 0, 9.8], [0, 0, 9.9]], None, 4)),
    ("T,X,Y,Z\n1,0,0,9.8\n3,0,0,9.8\n2,0,0,9.8\n3,0,0,9.8\n4,0,0,9.8\n", "t=T,ax=X,ay=Y,az=Z", "",
     ([0, 2, 3], [[0, 0, 9.8]] * 3, None, 2)),
    ("T,X,Y,Z\n,0,0,9.8\n1,0,0,9.8\n", "t=T,ax=X,ay=Y,az=Z", "", ([0], [[0, 0, 9.8]], None, 1)),
]  # fmt: skip


@pytest.mark.parametrize(("text", "columns", "units", "expected"), UNDERSTOOD)
def test_what_is_understood(read, text: str, columns: str, units: str, expected: tuple | str) -> None:
    if isinstance(expected, str):
        with pytest.raises(UsageError, match=expected):
            read(text, columns, units)
        return
    t_s, acc, gyr, passed_over = values(read(text, columns, units))
    assert (t_s, gyr is None, passed_over) == (pytest.approx(expected[0]), expected[2] is None, expected[3])
    np.testing.assert_allclose(acc, expected[1], rtol=1e-15)
    if gyr is not None:
        np.testing.assert_allclose(gyr, expected[2], rtol=1e-15)


XYZ = "ax=X,ay=Y,az=Z"
REFUSED = [
    ("", "", "", "is empty"),
    ("\n", "", "", "is empty"),
    ("x,y,z\n1,2,3\n", "", "", "do not explain themselves: x, y, z"),
    ("acc_x,acc_y,acc_z\n0,0,9.8\n", "", "", "do not explain themselves"),
    ("acc_x_ft,acc_y_ft,acc_z_ft\n0,0,9.8\n", "", "", "do not explain themselves"),
    ("acc_x_g,acc_y_mg,acc_z_g\n0,0,1\n", "", "", "do not explain themselves"),
    ("1,2,3\n1,2,3\n", "", "", "do not explain themselves"),
    ("X,Y,Z\n0,0,9.8\n", "", "acc=g", "do not explain themselves"),
    ("acc_x_g,acc_y_g\n0,1\n", "", "", "does not name az"),
    ("X,Y,Z\n0,0,9.8\n", "ax=X,ay=Y", "", "does not name az"),
    ("X,Y,Z\n0,0,9.8\n", XYZ + ",gx=X", "", "does not name gy, gz"),
    ("X,Y,Z\n0,0,9.8\n", XYZ + ",mx=X", "", "--columns does not know 'mx'"),
    ("X,Y,Z\n0,0,9.8\n", XYZ, "acc=lbs", "--units does not know acc='lbs'"),
    ("X,Y,Z\n0,0,9.8\n", XYZ, "ax=g", "--units does not know 'ax'"),
    ("X,Y,X\n0,0,9.8\n", "ax=X,ay=Y,az=X", "", "more than one column 'X'"),
    ("X,Y,Z\n", XYZ, "", "no row of the file holds all the numbers"),
    ("X,Y,Z\na,b,c\n", XYZ, "", "no row of the file holds all the numbers"),
    ("X,Y,Z\n0,0,1\n", XYZ, "", "the acceleration is 1 mps2 on the whole, which is not gravity"),
    ("X,Y,Z\n0,0,9.8\n", XYZ, "acc=g", "the acceleration is 9.8 g on the whole"),
    ("X,Y,Z,a,b,c\n0,0,9.8,90,0,0\n", XYZ + ",gx=a,gy=b,gz=c", "", "beyond what a body can do"),
    ("X,Y,Z\n0,0,9.8\n", "ax", "", "--columns cannot be read at 'ax'"),
    ("X,Y,Z\n0,0,9.8\n", "ax=X,ax=Y", "", "--columns cannot be read at 'ax=Y'"),
    ("X,Y,Z\n0,0,9.8\n", XYZ, "acc=", "--units cannot be read at 'acc='"),
    ('"' + "x" * 200_000, XYZ, "", "cannot be read"),
    ("\0\0\0\n\0\0", XYZ, "", "is no text"),
]


@pytest.mark.parametrize(("text", "columns", "units", "reason"), REFUSED, ids=range(len(REFUSED)))
def test_what_is_refused(read, text: str, columns: str, units: str, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(text, columns, units)
    assert reason in str(caught.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no file .*none\.csv"):
        read_path(tmp_path / "none.csv", "", "")


def test_maps() -> None:
    assert parse_map("", "--units") == {}
    assert parse_map(" t = ms , acc=g,", "--units") == {"t": "ms", "acc": "g"}
    assert parse_map("ax=a=b", "--columns") == {"ax": "a=b"}

"""Any bytes are refused with a sentence: no traceback, no memory without end, nothing outside the file is touched."""

import io
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from companion.errors import UsageError
from companion.importing import sources
from companion.importing.reader import read, understood

PLAIN = "t_s,acc_x_mps2,acc_y_mps2,acc_z_mps2\n" + "".join(f"{i / 50},0,{i / 1000},9.8\n" for i in range(50))
HEADERS = [
    PLAIN,
    '"Time (s)";"Acceleration x (m/s^2)";"Acceleration y (m/s^2)";"Acceleration z (m/s^2)"\n0,0;1E-1;0,3;9,8\n',
    "Phone timestamp;sensor timestamp [ns];X [mg];Y [mg];Z [mg]\n2026-03-02T08:00:00.123;599628000000000000;1;2;1000\n",
    "sep=,\nStartTime: ,2025-07-11_20:06:00_086 WEST\n\n"
    "PacketCounter,SampleTimeFine,Acc_X,Acc_Y,Acc_Z,Gyr_X,Gyr_Y,Gyr_Z\n1,4294960000,0,0,9.8,0,0,0\n2,10000,0,0,9.8,0,0,0\n",
    "time\tDeviceName\tAccX(g)\tAccY(g)\tAccZ(g)\tAsX(°/s)\tAsY(°/s)\tAsZ(°/s)\n"
    "2026-1-1 1:02:03.4\ta\t0\t0\t1\t1\t1\t1\n",
]
SPICE = st.sampled_from(
    [b"\0", b'"', b"\n", b"\r", b",", b";", b"\t", b"nan", b"inf", b"-", b"1e999", b"=cmd|' /C calc'!A0", b"\xff\xfe",
     b"\xef\xbb\xbf", b"9" * 400, b"#", b"sep=|", b"1e-999", b"0001-01-01T00:00:00", b"9999-12-31T23:59:59+23:59",
     b"\x1b[31m", "٣".encode(), b" " * 3000, b"_", b"(s)", b"99:99:99"]
)  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A file as loggers write it, with a few pieces cut out, doubled or replaced."""
    data = draw(st.sampled_from(HEADERS)).encode(draw(st.sampled_from(["utf-8", "utf-16"])))
    for _ in range(draw(st.integers(0, 6))):
        at, length = draw(st.integers(0, len(data))), draw(st.integers(0, 40))
        piece = draw(st.one_of(SPICE, st.binary(max_size=20), st.just(data[at : at + length] * 3)))
        data = data[:at] + piece + data[at + draw(st.integers(0, 40)) :]
    return data


MAPS = st.sampled_from(["", "ax=1,ay=2,az=3", "t=1,ax=2,ay=3,az=4", "t=t_s,ax=acc_x_mps2,ay=acc_y_mps2,az=acc_z_mps2"])


@given(data=mutated(), columns=MAPS, units=st.sampled_from(["", "acc=g", "t=ns", "acc=-mg,t=ms"]))
@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_give_motion_or_a_sentence(tmp_path: Path, data: bytes, columns: str, units: str) -> None:
    path = tmp_path / "m.csv"
    path.write_bytes(data)
    try:
        found = read(path, columns, units)
    except UsageError:
        return
    assert np.isfinite(found.acc_mps2).all()
    rate_hz = found.rate_hz or 50.0
    samples = found.samples(rate_hz)
    assert len(samples) == len(found.acc_mps2) > 0
    assert (np.diff(samples["t_device_ns"]) > 0).all()


@given(data=st.binary(max_size=300))
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_archive_gives_motion_or_a_sentence(tmp_path: Path, data: bytes) -> None:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("m.csv", PLAIN)
    bytes_ = bytearray(whole.getvalue())
    for place, value in enumerate(data):  # turned over, one after the other, from the end on
        bytes_[-1 - place * 3 % len(bytes_)] ^= value & 1
    (tmp_path / "m.zip").write_bytes(bytes_)
    with suppress(UsageError):
        assert len(read(tmp_path / "m.zip").acc_mps2) > 0


LONG_CELLS = [" " * 60_000 + "x", "_ " * 30_000 + "(g)", "2026-01-01T00:00:00" + " " * 60_000 + "x", "9" * 60_000]


@pytest.mark.parametrize("cell", LONG_CELLS, ids=["blanks", "name", "instant", "digits"])
def test_long_cells_keep_no_pattern_busy(read_text, cell: str) -> None:
    table = f"{cell},t_s,acc_x_g,acc_y_g,acc_z_g\n" + f"{cell},0,0,0,1\n{cell},1,0,0,1\n"
    assert len(read_text(table).acc_mps2) == 2
    with pytest.raises(UsageError):
        read_text(table, "t=1,ax=3,ay=4,az=5", "acc=g")


JUNK = [b"", b"\0\1", b'"', b"event,experiment time\nSTART", b"event\n" * 50, b"platform\n\xff\xfe", b"a,a\n1,2,3,4\n",
        b"event,experiment time,system time,system time text\nSTART,x,y,z\nPAUSE,1e300,-1e300,UTC+99:99\n",
        b"recording timezone,platform\n../../etc/passwd,ios\n", b"recording timezone\n/etc/localtime\n"]  # fmt: skip


@pytest.mark.parametrize("junk", JUNK, ids=range(len(JUNK)))
def test_what_lies_beside_a_table_does_no_harm(put, tmp_path: Path, junk: bytes) -> None:
    put(("Accelerometer.csv", HEADERS[1] + "0,02;1E-1;0,3;9,8\n"), ("Metadata.csv", junk), ("meta/time.csv", junk))
    found = read(tmp_path / "in")
    assert found.start is None
    assert len(found.acc_mps2) == 2


class Endless(io.RawIOBase):
    """A stream that never ends and counts what was taken."""

    def __init__(self, piece: bytes) -> None:
        self.piece, self.taken = piece, 0

    def read(self, size: int = -1) -> bytes:
        self.taken += size
        return (self.piece * (size // len(self.piece) + 1))[:size]


@pytest.mark.parametrize("piece", [b"x", b"1,", b" ", b'"', b"\xff"])
def test_a_line_without_end_is_not_kept_in_memory(piece: bytes) -> None:
    stream = Endless(piece)
    source = sources.Source("m.csv", PurePosixPath("m.csv"), 1, lambda: stream)  # type: ignore[arg-type, return-value]
    with pytest.raises(UsageError, match="a line has more than 65536 characters"):
        list(source.blocks("utf-8", lambda _: None))
    assert stream.taken < 10_000_000


def test_a_table_without_end_is_refused_at_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "_LONGEST_BYTES", 20_000_000)
    source = sources.Source("m.csv", PurePosixPath("m.csv"), 1, lambda: Endless(b"1,2\n"))  # type: ignore[arg-type, return-value]
    with pytest.raises(UsageError, match="of text"):
        for _ in source.blocks("utf-8", lambda _: None):
            pass


def archive_of(path: Path, *members: tuple[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members:
            archive.writestr(name, text)
    return path


BOMB = b"\0" * 50_000_000
LONG = b"1" * 50_000_000
ARCHIVES: list[tuple[list[tuple[str, str | bytes]], str]] = [
    ([("m.csv", BOMB)], "is no text"),
    ([("m.csv", LONG)], "a line has more than"),
    ([(f"{i}.csv", "x") for i in range(101)], "too many"),
    ([(f"{i}.x", "") for i in range(10_001)], "too many"),
    ([("m.png", PLAIN)], "holds no .csv"),
    ([("__MACOSX/._m.csv", PLAIN), ("._m.csv", PLAIN)], "holds no .csv"),
    ([("a.csv", PLAIN), ("b.csv", PLAIN)], "more than one table"),
]


@pytest.mark.parametrize("case", ARCHIVES, ids=range(len(ARCHIVES)))
def test_archives_that_are_refused(tmp_path: Path, case: tuple) -> None:
    members, reason = case
    with pytest.raises(UsageError, match=reason):
        read(archive_of(tmp_path / "m.zip", *members))


def test_a_name_that_leads_out_of_the_archive_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    path = archive_of(tmp_path / "inside" / "m.zip", ("../../out.csv", PLAIN), ("/etc/out.txt", "x"))
    assert len(read(path).acc_mps2) == 50
    assert sorted(each.name for each in tmp_path.rglob("*")) == ["inside", "m.zip"]


def test_a_locked_archive_is_refused(tmp_path: Path) -> None:
    path = archive_of(tmp_path / "m.zip", ("m.csv", PLAIN))
    data = bytearray(path.read_bytes())
    for at, mark in ((6, b"PK\3\4"), (8, b"PK\1\2")):
        data[data.index(mark) + at] |= 1  # the flag that says: encrypted
    path.write_bytes(data)
    with pytest.raises(UsageError, match=r"cannot be read: it is encrypted"):
        read(path)


def test_links_to_folders_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "m.csv").write_text(PLAIN)
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "m.csv").write_text(PLAIN)
    (tmp_path / "one" / "link").symlink_to(tmp_path / "two", target_is_directory=True)
    assert len(understood(tmp_path / "one").chosen.files) == 1


def test_names_from_outside_are_fit_to_be_shown(tmp_path: Path) -> None:
    escape = "\x1b[31m"
    path = archive_of(tmp_path / "m.zip", (f"{escape}a.csv", PLAIN), (f"{escape}b.csv", PLAIN))
    with pytest.raises(UsageError) as caught:
        read(path)
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize("make", [lambda p: p.mkdir(), lambda p: p.write_bytes(b""), lambda p: p.write_bytes(b"\n\n")])
def test_nothing_is_refused_with_a_sentence(tmp_path: Path, make: Callable[[Path], object]) -> None:
    make(tmp_path / "m.csv")
    with pytest.raises(UsageError):
        read(tmp_path / "m.csv")

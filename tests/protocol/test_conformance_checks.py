"""The checks of posture_v1/conformance against firmwares: the conforming one passes, each broken one fails by name."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import broken_firmwares as b
import pytest
from conformance_bench import Bench, Lying

from companion.simulator.faults import Faults
from companion.simulator.sensor import Firmware
from companion.simulator.stories import body_of
from firmware_protocol.posture_v1 import packets as p
from firmware_protocol.posture_v1.conformance import RULES, SCENES, WHOLE, Verdict

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "conformance.md"
SPECIFICATION = ROOT / "firmware_protocol" / "README.md"
LYING = Lying()
FETCHES = {rule.name for rule in RULES if rule.name.startswith("fetch-")} - {"fetch-unsupported"}
RARE = {"motion-clipped"}  # a sensor at rest is never at the end of its range


def examined(firmware: Firmware, **options: Any) -> list[Verdict]:
    return Bench(firmware, **options).examined()


def broken(firmware: Firmware, **options: Any) -> set[str]:
    bench = Bench(firmware, **options)
    said = {verdict.rule.name for verdict in bench.examined() if not verdict.holds}
    assert said == {name for name, entry in bench.evidence.book.entries.items() if entry.broken}  # none after its time
    return said


def with_faults(made: type[Firmware], *faults: str) -> Firmware:
    return made(LYING, faults=Faults.of(faults))


# What conforms.


def test_the_simulated_sensor_passes_every_check_there_is() -> None:
    said = examined(Firmware(body_of("demo")))
    assert [verdict.sentence for verdict in said if not verdict.holds] == []
    assert {verdict.rule.name for verdict in said} == {rule.name for rule in RULES} - RARE - {"fetch-unsupported"}


def test_one_without_a_buffer_passes_and_is_not_asked_for_more() -> None:
    said = examined(with_faults(Firmware, "no-buffer"))
    assert [verdict.sentence for verdict in said if not verdict.holds] == []
    assert {verdict.rule.name for verdict in said} == {rule.name for rule in RULES} - RARE - FETCHES


@pytest.mark.parametrize("mtu", [23, 69, 517])
def test_every_mtu_passes(mtu: int) -> None:
    assert broken(Firmware(LYING), mtu=mtu) == set()


@pytest.mark.parametrize("mtu", [23, 247])
def test_the_slowest_passes(mtu: int) -> None:
    assert broken(b.TenHertz(LYING), mtu=mtu) == set()


def test_a_subscription_that_is_kept_over_a_lost_link_passes() -> None:
    class Keeping(Firmware):
        def connected(self, now_ns: int, mtu: int = 247) -> None:
            super().connected(now_ns, mtu)
            if self.sampling:
                self.subscribed(p.MOTION, True)

    assert broken(Keeping(LYING)) == set()


def test_a_later_minor_version_with_a_longer_info_passes() -> None:
    assert broken(b.informing(lambda info: replace(info, minor=1, rates_mask=0xFF), b"abc")(LYING)) == set()


def test_a_sensor_that_moves_passes() -> None:
    assert broken(Firmware(body_of("walk-and-sit"))) == set()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 6))
@pytest.mark.parametrize("story", ["upright", "slouch", "fidget"])
def test_whatever_its_stream_and_its_wearer_it_passes(story: str, seed: int) -> None:
    assert broken(Firmware(body_of(story, seed=seed), seed=seed, drift_ppm=seed * 2000.0)) == set()


# What the radio does is no fault of a firmware's.


@pytest.mark.parametrize("fault", ["lose@4", "lose@5+0.4", "lose@16.1+1", "lose@33"])
def test_a_lost_packet_is_no_fault(fault: str) -> None:
    assert broken(with_faults(Firmware, fault)) == set()


@pytest.mark.parametrize(
    ("fault", "rule"),
    [("short@5", "motion-length"), ("garbage@5", "motion-layout"), ("silent@6", "motion-flow")],
)
def test_a_spoilt_packet_is_one(fault: str, rule: str) -> None:
    assert broken(with_faults(Firmware, fault)) == {rule}


# Firmwares that break one rule each, with the rules that show it.

Case = tuple[str, Callable[[], Firmware], set[str]]


def case(name: str, made: type[Firmware], *rules: str) -> Case:
    return name, lambda: made(LYING), set(rules)


def without_buffer(name: str, made: type[Firmware], *rules: str) -> Case:
    return name, lambda: with_faults(made, "no-buffer"), set(rules)


QUICK: list[Case] = [
    case("too many samples in a packet", b.TooLong, "motion-samples"),
    case("5 % too fast", b.Fast, "motion-rate"),
    case("the clock steps", b.Stepping, "clock", "time-agrees"),
    case("Motion before Started", b.Early, "start-order"),
    case("live again after a Fetch", b.RepeatsAfterFetch, "motion-repeats", "stop-silent"),
    case("Stop without its samples", b.Unflushed, "stop-flush"),
    case("one stream for ever", b.OneStream, "start-stream"),
    case("a rate not offered is taken", b.TakesAnything, "start-refuses"),
    without_buffer("not counted while alone", b.CountsForItsHost, "return-index", "motion-time", "time-agrees"),
    case("newest of Stopped exclusive", b.answers(0x82, b.plus(3, 4, 1)), "stop-newest"),
    case("bit 3 forgotten", b.fetched(b.no_bit), "fetch-bit", "motion-repeats"),
    case("sent + gone is not count", b.answers(0x86, b.one_more_sent), "fetch-counts"),
    case("07 is ignored", b.unknown(7, lambda _: None), "unsupported-opcode"),
    case("another opcode answers Stop", b.answers(0x82, lambda _: b"\x84\0"), "answers-opcode"),
    case("no identity", b.informing(lambda info: replace(info, identity=bytes(16))), "identity"),
]
SLOW: list[Case] = [
    case("time in milliseconds", b.Milliseconds, "clock", "start-soon", "status-uptime", "time-agrees", "return-index"),
    case("a rate offered is refused", b.Refuses200, "start-answer", "start-offers"),
    case("stops when alone", b.StopsWhenAlone, "return-stream"),
    case("sends later what was in hand", b.SendsLater, "return-backlog"),
    case("no motor bit", b.Still, "motion-motor"),
    case("always the motor bit", b.motion(b.motor_runs), "motion-motor"),
    case("no Status at once", b.LateStatus, "status-once"),
    case("Status every 30 s", b.RareStatus, "status-every"),
    case("no Status on change", b.Dim, "status-change"),
    case("Status with every packet", b.Talkative, "status-pace"),
    case(
        "newest of Status exclusive",
        b.telling(newest=lambda told: (told.newest + 1) % 2**32),
        "status-newest",
        "newest-none",
    ),
    case("nothing dropped, ever", b.telling(dropped=lambda _: 0), "dropped"),
    case("all dropped", b.telling(dropped=lambda told: (told.newest + 1) % 2**32), "dropped"),
    case("uptime in milliseconds", b.telling(uptime_s=lambda told: told.uptime_s * 1000), "status-uptime"),
    case("never says it samples", b.telling(flags=lambda told: told.flags & ~8), "status-sampling", "status-change"),
    case("a flag that does not exist", b.telling(flags=lambda told: told.flags | 0x80), "status-values"),
    case("hides its buffer", b.telling(flags=lambda told: told.flags & ~4), "status-buffer"),
    case("oldest beyond newest", b.telling(oldest=lambda told: (told.newest + 9) % 2**32), "status-buffer"),
    case("a new identity each time", b.Forgetful, "info-stable"),
    case("another major version", b.informing(lambda info: replace(info, major=2)), "info-version"),
    case("offers no rate", b.informing(lambda info: replace(info, rates_mask=0)), "info-rates"),
    case("bits nobody named", b.informing(lambda info: replace(info, acc_ranges_mask=0x1F)), "info-reserved"),
    case("a gyroscope untold", b.informing(lambda info: replace(info, capabilities=0x7E)), "info-gyroscope"),
    case(
        "a buffer without room",
        b.informing(lambda info: replace(info, buffer_samples=0)),
        "info-buffer",
        "status-buffer",
    ),
    case("no notify on Status", b.Unannounced, "gatt", "gatt-cccd"),
    case("02 00 is Stop", b.Lenient, "unsupported-length"),
    case("an empty write is ignored", b.unknown(0, lambda _: None), "unsupported-empty"),
    case("07 is answered as 08", b.unknown(7, lambda _: b"\xff\x08"), "unsupported-opcode"),
    case("Stop is always done", b.AlwaysDone, "stop-twice"),
    case("two answers", b.Stammering, "answers"),
    case("an answer too long", b.answers(0x82, lambda data: data + bytes(14)), "answers-length"),
    case("Time is not answered", b.answers(0x83, lambda _: None), "answers"),
    case(
        "Time tells the newest",
        b.answers(0x83, b.plus(3, 4, -1)),
        "stop-newest",
        "status-newest",
        "stop-flush",
        "newest-none",
    ),
    case("Motion behind Stopped", b.GoesOn, "stop-silent"),
    case("pattern 7 is played", b.answers(0x84, lambda _: b"\x84\0"), "vibrate"),
    case("Identify is always busy", b.answers(0x85, lambda _: b"\x85\x02"), "identify"),
    case("half the range", b.motion(b.halved), "motion-gravity"),
    without_buffer("clipping untold", b.live(b.at_the_end), "motion-clipped"),
    case("bit 6 set", b.motion(b.by_bit), "motion-reserved"),
    case("layout 3", b.live(b.third_layout), "motion-layout"),
    without_buffer("a byte short", b.live(b.at_times(b.cut_short)), "motion-length"),
    without_buffer("counts from 1", b.live(b.from_one), "start-first", "stop-flush"),
    without_buffer("times jitter", b.live(b.jittered), "motion-time"),
    case("fetched with another time", b.fetched(b.other_time), "fetch-time"),
    case("fetched with another value", b.fetched(b.other_value), "fetch-same"),
    case("fetched backwards", b.Backwards, "fetch-order"),
    case("forgets when alone", b.Small, "fetch-held"),
    case("two Fetches at once", b.Eager, "fetch-busy"),
    case("fetched behind the answer", b.LastFetchedLater, "fetch-sent"),
    case("sent what is gone", b.answers(0x86, b.never_gone), "fetch-gone", "fetch-old"),
    case("a Fetch of nothing is done", b.answers(0x86, b.zero_is_done), "fetch-zero"),
    case("Start drops the Fetch", b.DropsFetch, "fetch-start"),
    case("a Fetch waits for what comes", b.LooksAhead, "fetch-later"),
    case("Stop ends the Fetch", b.StopEndsFetch, "fetch-stop"),
    case("Time waits for the Fetch", b.OneByOne, "fetch-others"),
    case("the stream before is kept", b.Hoards, "fetch-old"),
    case("a Fetch for nobody is done", b.Deaf, "fetch-unsubscribed"),
    case("numbers beyond 2^32 refused", b.OverflowsAt32Bits, "fetch-wraps"),
    case("newest is 0 before the first", b.NeverNone, "newest-none"),
    case("and in Status only", b.telling(newest=lambda told: told.newest % p.NONE_YET), "newest-none"),
    case("live packets wait", b.Late, "motion-late"),
    without_buffer("live packets wait, no buffer", b.Late, "motion-late"),
    without_buffer("no answer without a buffer", b.unknown(6, lambda _: None), "fetch-unsupported"),
    without_buffer("two packets swapped", b.Swapping, "motion-order"),
    without_buffer("bit 3 at times", b.live(b.at_times(b.set_bit_3)), "motion-live"),
    without_buffer("another stream at times", b.live(b.at_times(b.other_stream)), "motion-stream"),
    case("no Start while sampling", b.BusySampling, "start-restarts", "start-offers"),
    case("Time tells the last values", b.Remembers, "time-stopped", "stop-answer"),
    case("advertises no service", b.Anonymous, "advertised"),
    case("Info too short", b.Curt, "info-length"),
    case("Stop of another stream", b.answers(0x82, b.plus(2, 1, 1)), "stop-answer", "stop-twice"),
]


@pytest.mark.parametrize(("made", "rules"), [each[1:] for each in QUICK], ids=[each[0] for each in QUICK])
def test_a_broken_rule_is_named(made: Callable[[], Firmware], rules: set[str]) -> None:
    assert broken(made()) == rules


@pytest.mark.slow
@pytest.mark.parametrize(("made", "rules"), [each[1:] for each in SLOW], ids=[each[0] for each in SLOW])
def test_a_rule_broken_more_rarely_is_named(made: Callable[[], Firmware], rules: set[str]) -> None:
    assert broken(made()) == rules


def test_what_a_server_lets_pass_in_the_clear_is_named() -> None:
    assert broken(Firmware(LYING), secure=False) == {"security"}
    assert broken(Firmware(LYING), strict=False) == {"indications-off"}


@pytest.mark.slow
def test_live_packets_that_wait_for_a_fetch_are_named() -> None:
    assert broken(b.Stalls(LYING), mtu=23) == {"fetch-live"}


def test_a_verdict_says_what_was_found() -> None:
    said = {verdict.rule.name: verdict.sentence for verdict in examined(b.Fast(LYING)) if not verdict.holds}
    assert re.fullmatch(
        r"the measured rate is within 2 % of the nominal one: (10\.5|26\.2|52\.5|105|210)\S* Hz .* at \d+ Hz",
        said["motion-rate"],
    )


def test_a_sensor_that_lacks_a_characteristic_is_not_asked_for_it() -> None:
    class Mute(Firmware):
        @property
        def served(self) -> Any:
            return tuple(each for each in super().served if each.uuid != p.STATUS)

    bench = Bench(Mute(LYING))
    said = bench.examined()
    assert {verdict.rule.name for verdict in said if not verdict.holds} == {"gatt"}
    assert bench.evidence.over == "there is no Status"
    assert len(bench.evidence.unseen()) > 60


# The rules and their page.


def test_every_rule_belongs_to_a_scene_and_is_named_once() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert {rule.scene for rule in RULES} == {scene.name for scene in (*SCENES, WHOLE)}
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", rule.name) and len(rule.name) <= 18 for rule in RULES)


def test_the_page_has_every_rule_with_its_section() -> None:
    text = PAGE.read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z-]+)` \| \[(\d+)\]\([^)]*#([a-z0-9-]+)\) \| (.+) \|$", text, re.MULTILINE)
    anchors = anchor_of_section()
    assert [(name, int(section), says) for name, section, _, says in rows] == [
        (rule.name, rule.section, rule.says) for rule in RULES
    ]
    assert [anchor for _, _, anchor, _ in rows] == [anchors[rule.section] for rule in RULES]


def anchor_of_section() -> dict[int, str]:
    """The specification's sections, as links name them."""
    titles = re.findall(r"^## ((\d+)\. .+)$", SPECIFICATION.read_text(encoding="utf-8"), re.MULTILINE)
    return {int(number): re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title, number in titles}


def test_every_broken_firmware_is_told_apart_by_some_rule() -> None:
    """A rule that nothing here breaks would be one that cannot fail."""
    named = set().union(*(rules for _, _, rules in (*QUICK, *SLOW)))
    here = {"security", "indications-off", "motion-flow", "fetch-live"}
    on_air = {"restart", "link"}  # in tests/commands/test_command_conformance.py
    assert {rule.name for rule in RULES} == named | here | on_air

"""The panels of the screen: each paints one part of a snapshot as lines that fit a width.

Pure: a snapshot in, lines out; the same snapshot gives the same lines. Knows: snapshots, words, the large
digits of Textual. Must never know: widgets, colours, how a figure is computed.
"""

from collections.abc import Iterable
from textwrap import wrap

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.renderables.digits import Digits

from companion.output.canvas import Line, Span, Tint
from companion.output.chart import LABEL_WIDTH, ChartData, chart
from companion.output.headline import headline
from companion.output.snapshot import HISTORY_S, Snapshot
from companion.output.words import NOT_A_MEDICAL_DEVICE, angle_words, counted, is_known, percent_words
from companion.tables.instants import duration_words, elapsed_text

SNOOZE = "30min"
KEYS: tuple[tuple[str, str], ...] = (
    ("c", "calibrate"),
    ("s", "snooze 30 min"),
    ("m", "mark"),
    ("f", "false alarm"),
    ("q", "quit"),
)
_GAP = "   "
_EARLY_SPANS_S = (60, 120)  # a young session is drawn larger
_BAR_FIGURE = 8  # columns right of it


def title(snapshot: Snapshot, width: int) -> list[Line]:
    """Whose session this is, and how long it has run."""
    words = " · ".join(filter(None, (snapshot.profile, snapshot.device, _mode(snapshot))))
    elapsed = elapsed_text(snapshot.t_s)
    room = width - len(elapsed) - 11
    return [(Span(" posture ", Tint.STRONG), Span(_fitted(words, room), Tint.DIM), Span(f" {elapsed} "))]


def _mode(snapshot: Snapshot) -> str:
    return "tracking, no alerts" if snapshot.mode == "track" else ""


def angle(snapshot: Snapshot, width: int) -> list[Line]:
    """The angle in large digits, in whole degrees as its uncertainty is over half of one; exact beneath."""
    value = snapshot.sagittal_deg if snapshot.calibrated else snapshot.inclination_deg
    rows = _large(_whole(value) if snapshot.calibrated else _whole(value).lstrip("+"))
    large = [_centred(text + mark, width, Tint.STRONG) for text, mark in zip(rows, (" °", "  ", "  "), strict=True)]
    return [*large, _centred(_exact(snapshot), width, Tint.PLAIN), _centred(_where(snapshot), width, Tint.DIM)]


def _large(text: str) -> list[str]:
    """Three lines of text that show `text` in large."""
    segments = Digits(text).render(Style(bold=True))
    return [segment.text for segment in segments if isinstance(segment, Segment) and segment.text != "\n"]


def _whole(angle_deg: float | None) -> str:
    if not is_known(angle_deg):
        return "-"
    whole = round(angle_deg)
    return f"{whole:+d}" if whole else "0"


def _exact(snapshot: Snapshot) -> str:
    if not snapshot.calibrated:
        return angle_words(snapshot.inclination_deg).lstrip("+")
    exact = angle_words(snapshot.sagittal_deg, snapshot.uncertainty_deg)
    lateral_deg = snapshot.lateral_deg
    if not is_known(lateral_deg) or not is_known(snapshot.sagittal_deg):
        return exact
    return f"{exact}, {abs(lateral_deg):.1f}° {'right' if lateral_deg > 0 else 'left'}"


def _where(snapshot: Snapshot) -> str:
    if not snapshot.calibrated:
        return "from vertical"
    if not is_known(snapshot.sagittal_deg):
        return "angle unknown"
    return f"{'forward of' if snapshot.sagittal_deg > 0 else 'behind'} your baseline"


def banner(snapshot: Snapshot, width: int, height: int) -> list[Line]:
    """The state as a block that can be read from the side: one word, and how long it has lasted."""
    head = headline(snapshot)
    word = " ".join(head.word) if 2 * len(head.word) <= width - 4 else head.word
    details = wrap(head.detail, max(width - 4, 8))[: height - 1]
    texts = [word, *details]
    if snapshot.guide and snapshot.guide_progress is not None and len(texts) < height:
        texts.append(_progress(snapshot.guide_progress, min(width - 4, 24)))
    if len(texts) == 2 and height > 2:
        texts.insert(1, "")
    above = (height - len(texts)) // 2
    padded = [""] * above + texts + [""] * (height - above - len(texts))
    if head.tint is Tint.QUIET:
        return _framed(padded, width, height)
    return [_centred(text, width, head.tint) for text in padded]


def _framed(texts: list[str], width: int, height: int) -> list[Line]:
    """What is not judged stands in a frame instead of a filled block."""
    inner = max(width - 2, 0)
    top, bottom = f"╭{'─' * inner}╮", f"╰{'─' * inner}╯"
    middle = [(Span("│", Tint.DIM), *_centred(text, inner, Tint.QUIET), Span("│", Tint.DIM)) for text in texts[1:-1]]
    return [(Span(top, Tint.DIM),), *middle, (Span(bottom, Tint.DIM),)][:height]


def _progress(share: float, width: int) -> str:
    done = round(min(max(share, 0.0), 1.0) * width)
    return "━" * done + "╌" * (width - done)


def slouch(snapshot: Snapshot, width: int) -> list[Line]:
    """The slouch per cent as a bar, with a notch where the limit lies."""
    room = max(width - LABEL_WIDTH - _BAR_FIGURE - 1, 4)
    filled = 0 if snapshot.slouch_pct is None else round(min(max(snapshot.slouch_pct, 0.0), 100.0) / 100 * room)
    notch = min(max(round(snapshot.limit_pct / 100 * room), 0), room - 1)
    bar = "━" * filled + "╌" * (room - filled)
    tints = (Tint.STRONG if filled > notch else Tint.PLAIN, Tint.DIM)
    spans = [Span(f"{'slouch':>{LABEL_WIDTH}} ", Tint.DIM)]
    for start, end in ((0, notch), (notch + 1, room)):
        middle = min(max(filled, start), end)
        spans += [Span(bar[start:middle], tints[0]), Span(bar[middle:end], tints[1])]
        if end == notch:
            spans.append(Span("┃", Tint.STRONG))
    figure = percent_words(snapshot.slouch_pct)
    return [(*(span for span in spans if span.text), Span(f"{figure:>{_BAR_FIGURE}}"))]


def history(snapshot: Snapshot, width: int, height: int) -> list[Line]:
    """The last minutes as a line."""
    caption = "degrees from your baseline" if snapshot.calibrated else "degrees from vertical"
    limit_deg = snapshot.limit_at_deg if snapshot.calibrated else None
    span_s = next((span for span in _EARLY_SPANS_S if snapshot.t_s <= span), HISTORY_S)
    data = ChartData(snapshot.history_deg, snapshot.history_end_s, span_s, limit_deg, caption)
    return chart(data, width, height)


def facts(snapshot: Snapshot, width: int) -> list[Line]:
    """The sensor and its link in one line, alerts and breaks in another; of a link in trouble is told first."""
    loss = "" if snapshot.loss_pct is None else f"loss {snapshot.loss_pct:.1f} %"
    rate = "" if snapshot.rate_hz is None else f"{snapshot.rate_hz:.1f} Hz"
    battery = f"battery {percent_words(snapshot.battery_pct)}"
    snoozed = f"snoozed until {snapshot.snoozed_until}" if snapshot.snoozed_until else ""
    link = f"link {snapshot.link or '–'}"
    sensor = _fields((battery, rate, loss, link), width)
    return [
        _as_fit((link, battery, loss), width) if snapshot.trouble else sensor,
        _fields((counted(snapshot.alerts, "alert"), _break(snapshot), snoozed), width),
    ]


def _break(snapshot: Snapshot) -> str:
    if snapshot.next_break_s is None:
        return ""
    if snapshot.next_break_s <= 0:
        return "a break is due"
    minutes = max(round(snapshot.next_break_s / 60), 1)
    return f"next break in {duration_words(60 * minutes)}"


def _fields(fields: Iterable[str], width: int) -> Line:
    return (Span(_fitted(" " + _GAP.join(filter(None, fields)), width)),)


def _as_fit(fields: Iterable[str], width: int) -> Line:
    """The first field, and those after it that there is room for."""
    first, *others = filter(None, fields)
    text = f" {first}"
    for other in others:
        if cell_len(text + _GAP + other) > width:
            break
        text += _GAP + other
    return (Span(_fitted(text, width)),)


def note(snapshot: Snapshot, width: int) -> list[Line]:
    """What has just happened, or what can be done about what is missing."""
    if snapshot.note:
        return [(Span(_fitted(f" {snapshot.note}", width), Tint.STRONG),)]
    if not snapshot.calibrated and not snapshot.guide:
        return [(Span(_fitted(" Not calibrated yet: press c, it takes half a minute.", width), Tint.STRONG),)]
    if snapshot.offer and not snapshot.guide:
        return [(Span(_fitted(f" {snapshot.offer}", width), Tint.STRONG),)]
    return [(Span(_fitted(f" {NOT_A_MEDICAL_DEVICE}", width), Tint.DIM),)]


def keys(width: int) -> list[Line]:
    """The keys, in as much detail as there is room for."""
    words = [f"{key} {what}" for key, what in KEYS]
    gap = _GAP if len(_GAP.join(words)) + 1 <= width else "  "
    spans = [Span(" ")]
    for at, (key, what) in enumerate(KEYS):
        spans += [Span(key, Tint.STRONG), Span(f" {what}{gap if at < len(KEYS) - 1 else ''}", Tint.DIM)]
    return [tuple(spans)]


def _fitted(text: str, width: int) -> str:
    """Exactly `width` columns; a longer text is cut with an ellipsis."""
    width = max(width, 0)
    if cell_len(text) <= width:
        return set_cell_size(text, width)
    return set_cell_size(text, max(width - 1, 0)) + "…"[:width]


def _centred(text: str, width: int, tint: Tint) -> Line:
    text = _fitted(text, width) if cell_len(text) > width else text
    spare = max(width - cell_len(text), 0)
    return (Span(" " * (spare // 2) + text + " " * (spare - spare // 2), tint),)

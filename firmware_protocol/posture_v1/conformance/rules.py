"""Every rule that is checked over the air: its id, its section of the specification, one sentence, where it is seen.

Pure values; `docs/conformance.md` prints this table. Must never know: how a rule is checked.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `scene` is the one after which its verdict is final; `section` counts as README.md does."""

    name: str
    section: int
    says: str  # one sentence without its full stop; it is true of a sensor that conforms
    scene: str


_MEETING = (
    ("advertised", 2, "the advertisement names the 128-bit service"),
    ("gatt", 2, "the service has the four characteristics, each with its properties and no others"),
    ("gatt-cccd", 2, "Motion, Control and Status have a Client Characteristic Configuration descriptor"),
    ("security", 3, "without encryption every read, write and descriptor is refused with 0x05 or 0x0F"),
    ("indications-off", 7, "a command while indications are off is refused with 0xFD"),
)
_INFO = (
    ("info-length", 5, "Info has its 27 bytes, or more"),
    ("info-version", 5, "the protocol's major version is 1"),
    ("info-reserved", 5, "bits of Info that version 1.0 does not name are 0"),
    ("info-rates", 5, "Info offers at least one rate and one acceleration range"),
    ("info-gyroscope", 5, "Info offers gyroscope ranges if there is a gyroscope, and only then"),
    ("info-buffer", 5, "Info tells the buffer's size if there is a buffer, and only then"),
    ("identity", 3, "the identity is 16 bytes that look random"),
)
_LIVE = (
    ("status-once", 8, "Status is notified at once when it is subscribed to"),
    ("time-stopped", 7, "while nothing is sampled Time tells rate, ranges and layout as 0"),
    ("unsupported-opcode", 7, "a command that does not exist is answered Unsupported with its opcode"),
    ("unsupported-length", 7, "a command of another length is answered Unsupported with its opcode"),
    ("unsupported-empty", 7, "an empty write is answered Unsupported with 0"),
    ("start-refuses", 7, "Start with a value that is not offered is answered bad value, and what ran goes on"),
    ("vibrate", 7, "Vibrate is answered done, bad value for a pattern that does not exist, or nothing of it is told"),
    ("identify", 7, "Identify is answered done, or nothing of it is told"),
    ("status-sampling", 8, "the flag of Status says whether it samples"),
    ("status-change", 8, "Status is notified when its flags change"),
    ("status-uptime", 8, "the uptime in Status goes with the device clock"),
    ("stop-twice", 7, "Stop without sampling is answered 3, with the last stream and its newest sample"),
)
_RATES = (
    ("start-restarts", 4, "Start while sampling begins a new stream without a Stop"),
    ("start-offers", 7, "every rate is taken with every range and layout that Info offers"),
    ("newest-none", 7, "before the first sample of a stream newest is FFFFFFFF"),
    ("status-newest", 8, "newest in Status is inclusive, and is that of the stream that Status names"),
)
_RETURN = (
    ("info-stable", 3, "Info has the same identity and offers at every connection"),
    ("return-stream", 4, "sampling goes on through a disconnection: the same stream, rate, ranges and layout"),
    ("return-index", 4, "samples are counted on through a disconnection"),
    ("return-backlog", 4, "packets of the time without a host are not sent later"),
    ("dropped", 8, "dropped counts the samples of this stream that were never sent live, and no others"),
    ("fetch-unsubscribed", 9, "Fetch while Motion is not subscribed to is answered busy, with all it asked as gone"),
    ("fetch-unsupported", 9, "without a buffer Fetch is answered Unsupported"),
    ("fetch-counts", 9, "the answer to Fetch repeats what was asked, and sent + gone is its count"),
    ("fetch-held", 9, "the buffer holds every sample since Start, as many as it has room for"),
    ("fetch-sent", 9, "as many samples come back as the answer to Fetch tells, before that answer"),
    ("fetch-bit", 9, "what Fetch brings has bit 3"),
    ("fetch-order", 9, "what Fetch brings lies within what was asked, in ascending order"),
    ("fetch-same", 9, "a fetched sample is, bit for bit, the one that came live"),
    ("fetch-time", 9, "a fetched packet has the device time of its own first sample"),
    ("fetch-live", 9, "live packets go on while a Fetch runs"),
    ("fetch-gone", 9, "samples of another stream, or not yet taken, are gone"),
    (
        "fetch-wraps",
        9,
        "Fetch whose first + count passes 2^32 is answered done",
    ),
    ("fetch-zero", 9, "Fetch of no sample is answered bad value, with sent and gone 0"),
    ("fetch-busy", 9, "Fetch during a Fetch is answered busy, with all it asked as gone"),
    ("fetch-others", 9, "other commands are answered while a Fetch runs"),
    ("fetch-later", 9, "samples taken after a Fetch came are gone for it, and not waited for"),
    ("fetch-stop", 9, "Stop does not end a Fetch"),
    ("fetch-start", 9, "Start during a Fetch is answered after the Fetch"),
    ("fetch-old", 9, "Start empties the buffer: samples of the stream before are gone"),
)
_WHOLE = (
    ("answers", 7, "every command has exactly one answer"),
    ("answers-opcode", 7, "an answer has the opcode of its command + 0x80"),
    ("answers-length", 7, "answers have the length and the values of their tables"),
    ("start-answer", 7, "Start is answered done, with what was asked"),
    ("start-stream", 4, "every Start adds 1 to the stream"),
    ("start-order", 7, "the answer to Start comes before the first Motion of its stream"),
    ("start-soon", 7, "sample 0 is taken within 1 s of the answer to Start"),
    ("start-first", 4, "the counter of samples begins at 0 with every Start"),
    ("motion-length", 6, "every Motion packet has whole samples, at least one"),
    ("motion-layout", 6, "every Motion packet has the layout in force"),
    ("motion-reserved", 6, "bits 6 and 7 of a Motion packet are 0"),
    ("motion-samples", 6, "a Motion packet holds no more samples than MTU and rate allow"),
    ("motion-stream", 6, "every Motion packet is of the stream that was announced"),
    ("motion-live", 6, "bit 3 is set in answers to Fetch only"),
    ("motion-order", 6, "live packets come in ascending order"),
    ("motion-repeats", 6, "no sample is sent live twice"),
    ("motion-clipped", 6, "a packet with a value at the end of its range says that it is clipped"),
    ("motion-motor", 6, "the motor's bit is set while it runs, and only then"),
    ("motion-flow", 4, "while it samples and Motion is subscribed to, no 3 s pass without a packet"),
    ("motion-late", 4, "live packets wait for no more than 1 s"),
    ("motion-time", 1, "the device time of every packet is within 8 ms of where the measured rate puts it"),
    ("motion-rate", 1, "the measured rate is within 2 % of the nominal one"),
    ("motion-gravity", 6, "at rest the acceleration is 1 g in the range in force, within 15 %"),
    ("time-agrees", 7, "index and time of a Time answer belong together, and to the times of Motion"),
    ("clock", 1, "the device clock never steps, and runs within 2 % of this computer's"),
    ("stop-answer", 7, "Stop is answered done, with the stream that ended"),
    ("stop-flush", 7, "Stop sends the samples in hand before its answer"),
    ("stop-silent", 7, "no Motion of a stream comes after the answer to its Stop"),
    ("stop-newest", 7, "newest in the answer to Stop is inclusive: one less than the index that Time tells then"),
    ("status-values", 8, "Status has 20 bytes, and values that its table has"),
    ("status-buffer", 8, "oldest and the buffer's flag in Status go with the buffer that Info tells of"),
    ("status-every", 8, "Status is notified every 10 s"),
    ("status-pace", 8, "Status is not notified more often than once a second"),
    ("restart", 4, "the sensor does not restart by itself"),
    ("link", 4, "no command makes the sensor lose the link"),
)
RULES: tuple[Rule, ...] = tuple(
    Rule(name, section, says, scene)
    for scene, rules in (
        ("meeting", _MEETING),
        ("info", _INFO),
        ("live", _LIVE),
        ("rates", _RATES),
        ("return", _RETURN),
        ("whole", _WHOLE),
    )
    for name, section, says in rules
)

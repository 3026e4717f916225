/*
 * posture_v1: every message of the protocol, from bytes and to bytes.
 *
 * Knows: the bytes of one message, which are little-endian on any machine. Must never know: what came before,
 * radios, clocks. Allocates nothing, keeps no state, needs only the headers below, and is total: any bytes are
 * read or refused. What the fields mean stands in ../README.md, golden bytes in ../posture_v1/vectors.json.
 *
 * C99; a C++ program may include it.
 */
#ifndef POSTURE_V1_H
#define POSTURE_V1_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PV1_MAJOR 1u
#define PV1_MINOR 0u

/* UUIDs as text; a characteristic differs from the service in the third group only. */
#define PV1_SERVICE_UUID "3ab63ef7-580a-4100-8cb5-a9bac0994205"
#define PV1_MOTION_UUID "3ab63ef7-580a-4101-8cb5-a9bac0994205"
#define PV1_CONTROL_UUID "3ab63ef7-580a-4102-8cb5-a9bac0994205"
#define PV1_STATUS_UUID "3ab63ef7-580a-4103-8cb5-a9bac0994205"
#define PV1_INFO_UUID "3ab63ef7-580a-4104-8cb5-a9bac0994205"

enum {
    PV1_MOTION_HEADER_BYTES = 8,
    PV1_MOTION_MAX_BYTES = 512, /* no attribute value is longer: Bluetooth Core, Vol 3, Part F, 3.2.9 */
    PV1_CONTROL_MAX_BYTES = 20,
    PV1_STATUS_BYTES = 20,
    PV1_INFO_BYTES = 27,
    PV1_IDENTITY_BYTES = 16,
    PV1_BATTERY_UNKNOWN = 255,
    PV1_TEMPERATURE_UNKNOWN = -128
};

/* How reading or writing a message went. */
typedef enum {
    PV1_OK = 0,
    PV1_TOO_SHORT,    /* fewer bytes than the message needs */
    PV1_TOO_LONG,     /* more bytes than it may have */
    PV1_UNKNOWN_KIND, /* a layout or an opcode that the protocol does not have */
    PV1_BAD_VALUE,    /* a field holds what it may not hold */
    PV1_NO_ROOM       /* writing: the memory given is too small */
} pv1_verdict;

/* What a sample holds. The number is also its length in units of 6 bytes. */
enum { PV1_LAYOUT_NONE = 0, PV1_LAYOUT_ACC = 1, PV1_LAYOUT_ACC_GYR = 2 };

/* Bits of Motion's first byte behind the layout. */
enum { PV1_BACKFILLED = 0x08, PV1_CLIPPED = 0x10, PV1_MOTOR = 0x20 };

/* `result` of an answer. */
enum { PV1_DONE = 0, PV1_REFUSED = 1, PV1_BUSY = 2, PV1_NOT_SAMPLING = 3 };

/* `pattern` of Vibrate. */
enum { PV1_PATTERN_OFF = 0, PV1_PATTERN_TICK = 1, PV1_PATTERN_DOUBLE = 2, PV1_PATTERN_LONG = 3 };

/* Bits of Info's `capabilities`. */
enum {
    PV1_CAN_GYROSCOPE = 1,
    PV1_CAN_VIBRATE = 2,
    PV1_CAN_IDENTIFY = 4,
    PV1_CAN_BUFFER = 8,
    PV1_CAN_TELL_WEAR = 16,
    PV1_CAN_TELL_BATTERY = 32,
    PV1_CAN_TELL_TEMPERATURE = 64
};

/* Bits of Status' `flags`. A sensor that cannot tell whether it is worn says worn. */
enum { PV1_WORN = 1, PV1_CHARGING = 2, PV1_HAS_BUFFER = 4, PV1_SAMPLING = 8 };

/* Opcodes: of an answer, the command's + 0x80. */
enum {
    PV1_START = 0x01,
    PV1_STOP = 0x02,
    PV1_TIME = 0x03,
    PV1_VIBRATE = 0x04,
    PV1_IDENTIFY = 0x05,
    PV1_FETCH = 0x06,
    PV1_STARTED = 0x81,
    PV1_STOPPED = 0x82,
    PV1_TIME_ANSWER = 0x83,
    PV1_VIBRATING = 0x84,
    PV1_IDENTIFYING = 0x85,
    PV1_FETCH_DONE = 0x86,
    PV1_UNSUPPORTED = 0xFF
};

/* How samples are taken. All 0 while nothing is sampled. */
typedef struct {
    uint8_t rate_hz;        /* 10, 25, 50, 100 or 200 */
    uint8_t acc_range_g;    /* 2, 4, 8 or 16 */
    uint16_t gyr_range_dps; /* 125, 250, 500, 1000 or 2000; 0 with PV1_LAYOUT_ACC */
    uint8_t layout;
} pv1_sampling;

/* Fetch: samples first ... first + count - 1 of a stream. */
typedef struct {
    uint8_t stream;
    uint32_t first;
    uint32_t count;
} pv1_fetch;

/* What a host writes to Control. Which of the fields behind `opcode` hold something depends on it. */
typedef struct {
    uint8_t opcode;
    pv1_sampling start; /* PV1_START: as asked, not checked; see pv1_offers() */
    uint8_t pattern;    /* PV1_VIBRATE */
    pv1_fetch fetch;    /* PV1_FETCH */
} pv1_command;

/* What a sensor indicates on Control. */
typedef struct {
    uint8_t opcode;
    uint8_t result;        /* all but PV1_UNSUPPORTED */
    uint8_t stream;        /* STARTED, STOPPED, TIME_ANSWER, FETCH_DONE */
    uint64_t time_us;      /* STARTED, TIME_ANSWER: below 2^52 */
    pv1_sampling sampling; /* STARTED, TIME_ANSWER: in force */
    uint32_t index;        /* TIME_ANSWER: the NEXT sample's number. STOPPED: the newest's. FETCH_DONE: `first` */
    uint32_t sent;         /* FETCH_DONE */
    uint32_t gone;         /* FETCH_DONE */
    uint8_t command;       /* UNSUPPORTED: the opcode as it was written, 0 for an empty write */
} pv1_answer;

/* Status. */
typedef struct {
    uint8_t stream;
    uint8_t flags;
    uint32_t newest; /* inclusive: samples taken - 1, so FFFFFFFF before the first */
    uint32_t oldest; /* inclusive: newest + 1 where the buffer is empty */
    uint32_t dropped;
    uint32_t uptime_s;
    uint8_t battery_pct;
    int8_t temp_c;
} pv1_status;

/* Info. In the masks bit k stands for the k-th of the values of pv1_sampling. */
typedef struct {
    uint8_t major;
    uint8_t minor;
    uint16_t capabilities;
    uint8_t identity[PV1_IDENTITY_BYTES];
    uint8_t rates_mask;
    uint8_t acc_ranges_mask;
    uint8_t gyr_ranges_mask;
    uint32_t buffer_samples;
} pv1_info;

/* A Motion packet without its samples. */
typedef struct {
    uint8_t layout;
    uint8_t marks; /* PV1_BACKFILLED | PV1_CLIPPED | PV1_MOTOR */
    uint8_t stream;
    uint32_t index;
    uint16_t time_1024;
    uint16_t count; /* samples, at least 1 */
} pv1_motion;

/* ---- Reading. `length` bytes at `data`, which may be NULL where there are none. On any verdict but PV1_OK the
 * message holds nothing of use. */

pv1_verdict pv1_read_command(const uint8_t *data, size_t length, pv1_command *command);
pv1_verdict pv1_read_answer(const uint8_t *data, size_t length, pv1_answer *answer);
pv1_verdict pv1_read_status(const uint8_t *data, size_t length, pv1_status *status);
/* Bytes behind the 27 that are known are passed over: later minor versions may append fields. */
pv1_verdict pv1_read_info(const uint8_t *data, size_t length, pv1_info *info);
pv1_verdict pv1_read_motion(const uint8_t *data, size_t length, pv1_motion *motion);

/* Raw number `axis` (0-2 acceleration, 3-5 angular rate) of sample `number` in a packet that was read as `motion`;
 * 0 where it has none such. Value = raw * range / 32768. */
int16_t pv1_raw(const uint8_t *data, const pv1_motion *motion, unsigned number, unsigned axis);

/* ---- Writing. On PV1_OK `*length` bytes stand at `out`; on anything else nothing was written. */

pv1_verdict pv1_write_command(const pv1_command *command, uint8_t out[PV1_CONTROL_MAX_BYTES], size_t *length);
pv1_verdict pv1_write_answer(const pv1_answer *answer, uint8_t out[PV1_CONTROL_MAX_BYTES], size_t *length);
pv1_verdict pv1_write_status(const pv1_status *status, uint8_t out[PV1_STATUS_BYTES], size_t *length);
pv1_verdict pv1_write_info(const pv1_info *info, uint8_t out[PV1_INFO_BYTES], size_t *length);
/* `raw`: motion->count samples of 3 or 6 numbers, one behind the other; `room`: bytes at `out`. */
pv1_verdict pv1_write_motion(const pv1_motion *motion, const int16_t *raw, uint8_t *out, size_t room, size_t *length);

/* ---- Arithmetic that both sides need. */

/* Bytes of one sample: 6 or 12; 0 for what is no layout. */
size_t pv1_sample_bytes(uint8_t layout);
/* N: how many samples one packet takes, all that fit into ATT_MTU - 3 and 512 bytes, up to 250 ms of them, at least
 * one. */
unsigned pv1_samples_per_packet(unsigned att_mtu, uint8_t rate_hz, uint8_t layout);
/* floor(seconds * 1024), exact for any clock. */
uint64_t pv1_ticks(uint64_t time_us);
/* Motion's `time_1024`: the low 16 bits of pv1_ticks(). */
uint16_t pv1_time_1024(uint64_t time_us);
/* Whether the protocol has this combination (the one of nothing sampled included). */
bool pv1_is_sampling(const pv1_sampling *sampling);
/* Whether a sensor with this Info must accept this Start. */
bool pv1_offers(const pv1_info *info, const pv1_sampling *asked);

#ifdef __cplusplus
}
#endif

#endif

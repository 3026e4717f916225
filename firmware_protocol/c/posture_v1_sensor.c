/*
 * posture_v1: what a sensor has to count and to remember. See posture_v1_sensor.h.
 *
 * All numbers of samples are unsigned and wrap at 2^32, as the protocol has it; none is ever compared by size.
 */
#include "posture_v1_sensor.h"

#include <string.h>

enum { MARKS = PV1_CLIPPED | PV1_MOTOR };

static void drop(pv1_sensor *sensor, uint32_t samples)
{
    sensor->dropped += samples;
}

static void drop_what_is_in_hand(pv1_sensor *sensor)
{
    drop(sensor, sensor->in_hand);
    sensor->in_hand = 0;
}

void pv1_boot(pv1_sensor *sensor, uint8_t random_stream, uint32_t buffer_samples, uint8_t *packet, size_t room)
{
    memset(sensor, 0, sizeof *sensor);
    sensor->stream = random_stream;
    sensor->buffer_samples = buffer_samples;
    sensor->packet = packet;
    sensor->room = room < PV1_MOTION_MAX_BYTES ? room : PV1_MOTION_MAX_BYTES;
}

void pv1_listens(pv1_sensor *sensor, unsigned att_mtu)
{
    if (att_mtu < sensor->att_mtu) { /* an MTU only grows: this is no listener, or another link */
        drop_what_is_in_hand(sensor);
    }
    sensor->att_mtu = att_mtu;
}

/* ---- Control */

static void answer_of(uint8_t opcode, uint8_t result, pv1_answer *answer)
{
    memset(answer, 0, sizeof *answer);
    answer->opcode = opcode;
    answer->result = result;
}

bool pv1_understand(const uint8_t *data, size_t length, pv1_command *command, pv1_answer *answer)
{
    memset(command, 0, sizeof *command);
    if (pv1_read_command(data, length, command) == PV1_OK) {
        return true;
    }
    pv1_unsupported(length > 0 ? data[0] : 0, answer);
    return false;
}

void pv1_unsupported(uint8_t command_opcode, pv1_answer *answer)
{
    answer_of(PV1_UNSUPPORTED, 0, answer);
    answer->command = command_opcode;
}

void pv1_begin(pv1_sensor *sensor, const pv1_sampling *sampling)
{
    sensor->sampling = *sampling;
    sensor->is_sampling = true;
    sensor->stream = (uint8_t)((sensor->stream + 1u) & 0xFFu);
    sensor->taken = 0;
    sensor->dropped = 0;
    sensor->buffered = 0;
    sensor->in_hand = 0;
}

void pv1_end(pv1_sensor *sensor)
{
    drop_what_is_in_hand(sensor);
    sensor->is_sampling = false;
}

/* What is in force: nothing while not sampling, although the buffer's layout is remembered. */
static void tell_sampling(const pv1_sensor *sensor, pv1_answer *answer)
{
    answer->stream = sensor->stream;
    if (sensor->is_sampling) {
        answer->sampling = sensor->sampling;
    }
}

void pv1_started(const pv1_sensor *sensor, uint8_t result, uint64_t time_us, pv1_answer *answer)
{
    answer_of(PV1_STARTED, result, answer);
    answer->time_us = time_us;
    tell_sampling(sensor, answer);
}

void pv1_stopped(const pv1_sensor *sensor, bool was_sampling, pv1_answer *answer)
{
    answer_of(PV1_STOPPED, was_sampling ? PV1_DONE : PV1_NOT_SAMPLING, answer);
    answer->stream = sensor->stream;
    answer->index = sensor->taken - 1u; /* inclusive; FFFFFFFF before the first */
}

void pv1_time_answer(const pv1_sensor *sensor, uint64_t time_us, pv1_answer *answer)
{
    answer_of(PV1_TIME_ANSWER, PV1_DONE, answer);
    answer->index = sensor->taken; /* the next one */
    answer->time_us = time_us;
    tell_sampling(sensor, answer);
}

void pv1_done(uint8_t command_opcode, uint8_t result, pv1_answer *answer)
{
    answer_of((uint8_t)(command_opcode | 0x80u), result, answer);
}

void pv1_tell_status(const pv1_sensor *sensor, uint8_t flags, uint64_t time_us, pv1_status *status)
{
    unsigned bits = flags & (unsigned)(PV1_WORN | PV1_CHARGING);
    bits |= sensor->buffer_samples > 0 ? (unsigned)PV1_HAS_BUFFER : 0u;
    bits |= sensor->is_sampling ? (unsigned)PV1_SAMPLING : 0u;
    status->stream = sensor->stream;
    status->flags = (uint8_t)bits;
    status->newest = sensor->taken - 1u;
    status->oldest = sensor->taken - sensor->buffered;
    status->dropped = sensor->dropped;
    status->uptime_s = (uint32_t)(time_us / 1000000u & 0xFFFFFFFFu);
    status->battery_pct = PV1_BATTERY_UNKNOWN;
    status->temp_c = PV1_TEMPERATURE_UNKNOWN;
}

/* ---- Samples */

static unsigned samples_that_fit(const pv1_sensor *sensor)
{
    size_t size = pv1_sample_bytes(sensor->sampling.layout);
    size_t space = sensor->room > PV1_MOTION_HEADER_BYTES ? sensor->room - PV1_MOTION_HEADER_BYTES : 0;
    return size > 0 ? (unsigned)(space / size) : 0u;
}

static void begin_packet(pv1_sensor *sensor)
{
    unsigned most = samples_that_fit(sensor);
    unsigned wanted = pv1_samples_per_packet(sensor->att_mtu, sensor->sampling.rate_hz, sensor->sampling.layout);
    sensor->planned = wanted < most ? wanted : most;
}

/* The header is written with the first sample; later ones only add their marks. */
static bool put_sample(pv1_sensor *sensor, uint32_t index, uint64_t time_us, const int16_t *raw, uint8_t marks)
{
    size_t size = pv1_sample_bytes(sensor->sampling.layout);
    pv1_motion one = {0};
    uint8_t bytes[20];
    size_t length = 0;
    one.layout = sensor->sampling.layout;
    one.marks = (uint8_t)(marks & MARKS);
    one.stream = sensor->stream;
    one.index = index;
    one.time_1024 = pv1_time_1024(time_us);
    one.count = 1;
    if (pv1_write_motion(&one, raw, bytes, sizeof bytes, &length) != PV1_OK) {
        return false;
    }
    if (sensor->in_hand == 0) {
        memcpy(sensor->packet, bytes, PV1_MOTION_HEADER_BYTES);
    }
    sensor->packet[0] = (uint8_t)(sensor->packet[0] | bytes[0]);
    memcpy(sensor->packet + PV1_MOTION_HEADER_BYTES + sensor->in_hand * size, bytes + PV1_MOTION_HEADER_BYTES, size);
    sensor->in_hand++;
    return true;
}

bool pv1_sample(pv1_sensor *sensor, uint64_t time_us, const int16_t *raw, uint8_t marks)
{
    if (!sensor->is_sampling) {
        return false;
    }
    uint32_t index = sensor->taken++;
    if (sensor->buffered < sensor->buffer_samples) {
        sensor->buffered++;
    }
    if (sensor->att_mtu == 0) {
        drop(sensor, 1);
        return false;
    }
    if (sensor->in_hand > 0 && sensor->in_hand == sensor->planned) {
        drop_what_is_in_hand(sensor); /* it was full, and nobody took it */
    }
    if (sensor->in_hand == 0) {
        begin_packet(sensor);
    }
    if (sensor->planned == 0 || !put_sample(sensor, index, time_us, raw, marks)) {
        drop(sensor, 1);
        return false;
    }
    return sensor->in_hand == sensor->planned;
}

const uint8_t *pv1_take_packet(pv1_sensor *sensor, size_t *length)
{
    if (sensor->in_hand == 0) {
        *length = 0;
        return NULL;
    }
    *length = PV1_MOTION_HEADER_BYTES + sensor->in_hand * pv1_sample_bytes(sensor->sampling.layout);
    sensor->in_hand = 0;
    return sensor->packet;
}

void pv1_drop(pv1_sensor *sensor, const uint8_t *packet, size_t length)
{
    pv1_motion motion;
    bool live = pv1_read_motion(packet, length, &motion) == PV1_OK && (motion.marks & PV1_BACKFILLED) == 0;
    if (live && motion.stream == sensor->stream) {
        drop(sensor, motion.count);
    }
}

/* ---- Buffer */

static void fetch_answer(const pv1_fetching *fetching, uint8_t result, pv1_answer *answer)
{
    answer_of(PV1_FETCH_DONE, result, answer);
    answer->stream = fetching->asked.stream;
    answer->index = fetching->asked.first;
    answer->sent = fetching->sent;
    answer->gone = fetching->gone;
}

/* Nothing is sent of what was asked. */
static void refuse(const pv1_fetch *asked, uint8_t result, pv1_answer *answer)
{
    pv1_fetching none = {{0, 0, 0}, false, 0, 0, 0, 0};
    none.asked = *asked;
    none.gone = asked->count;
    fetch_answer(&none, result, answer);
}

/* How many of the samples asked for have been taken, or are older than that: all of them before the next one. */
static uint32_t until_now(const pv1_sensor *sensor, const pv1_fetch *asked)
{
    uint32_t ahead = asked->first - sensor->taken;
    uint32_t taken = ahead <= UINT32_MAX / 2u ? 0u : sensor->taken - asked->first;
    return taken < asked->count ? taken : asked->count;
}

bool pv1_fetch_begin(const pv1_sensor *sensor, pv1_fetching *fetching, const pv1_fetch *asked, pv1_answer *answer)
{
    if (sensor->buffer_samples == 0) {
        pv1_unsupported(PV1_FETCH, answer);
        return false;
    }
    bool busy = fetching->runs || sensor->att_mtu == 0;
    if (asked->count == 0 || busy || asked->stream != sensor->stream) {
        refuse(asked, asked->count == 0 ? PV1_REFUSED : busy ? PV1_BUSY : PV1_DONE, answer);
        return false;
    }
    memset(fetching, 0, sizeof *fetching);
    fetching->asked = *asked;
    fetching->runs = true;
    fetching->next = asked->first;
    fetching->left = until_now(sensor, asked);
    fetching->gone = asked->count - fetching->left;
    return true;
}

/* Passes over what is not held at the front of what is left; how many of the rest are held in one piece. */
static uint32_t look(const pv1_sensor *sensor, pv1_fetching *fetching)
{
    uint32_t oldest = sensor->taken - sensor->buffered;
    uint32_t behind_oldest = fetching->next - oldest;
    if (behind_oldest >= sensor->buffered) {
        uint32_t until_held = oldest - fetching->next;
        uint32_t passed = until_held < fetching->left ? until_held : fetching->left;
        fetching->next += passed;
        fetching->left -= passed;
        fetching->gone += passed;
        behind_oldest = 0;
    }
    uint32_t held = sensor->buffered - behind_oldest;
    return held < fetching->left ? held : fetching->left;
}

bool pv1_fetch_next(const pv1_sensor *sensor, pv1_fetching *fetching, uint32_t *first, unsigned *count)
{
    if (!fetching->runs || sensor->att_mtu == 0 || fetching->asked.stream != sensor->stream) {
        return false;
    }
    uint32_t held = look(sensor, fetching);
    unsigned most = pv1_samples_per_packet(sensor->att_mtu, sensor->sampling.rate_hz, sensor->sampling.layout);
    uint32_t now = held < most ? held : most;
    *first = fetching->next;
    *count = (unsigned)now;
    fetching->next += now;
    fetching->left -= now;
    fetching->sent += now;
    return now > 0;
}

void pv1_fetch_end(pv1_fetching *fetching, pv1_answer *answer)
{
    fetching->gone += fetching->left;
    fetching->left = 0;
    fetching->runs = false;
    fetch_answer(fetching, PV1_DONE, answer);
}

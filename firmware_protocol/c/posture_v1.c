/*
 * posture_v1: every message of the protocol, from bytes and to bytes. See posture_v1.h.
 *
 * Numbers are taken apart and put together byte by byte: no cast of pointers, so neither the machine's byte order nor
 * its alignment matters, and no shift of a negative or of a promoted narrow number.
 */
#include "posture_v1.h"

#include <string.h>

#define CLOCK_BITS 52

static const uint8_t RATES_HZ[] = {10, 25, 50, 100, 200};
static const uint8_t ACC_RANGES_G[] = {2, 4, 8, 16};
static const uint16_t GYR_RANGES_DPS[] = {125, 250, 500, 1000, 2000};
enum { RATES = 5, ACC_RANGES = 4, GYR_RANGES = 5, LAYOUT_BITS = 0x07, MARK_BITS = 0x38, GYR_UNIT_DPS = 125 };

/* ---- numbers */

static uint16_t get_u16(const uint8_t *from)
{
    return (uint16_t)((uint32_t)from[0] | ((uint32_t)from[1] << 8));
}

static uint32_t get_u32(const uint8_t *from)
{
    return (uint32_t)get_u16(from) | ((uint32_t)get_u16(from + 2) << 16);
}

static uint64_t get_u64(const uint8_t *from)
{
    return (uint64_t)get_u32(from) | ((uint64_t)get_u32(from + 4) << 32);
}

/* Two's complement, without a conversion that the standard leaves to the compiler. */
static int16_t get_i16(const uint8_t *from)
{
    int32_t value = (int32_t)get_u16(from);
    return (int16_t)(value < 0x8000 ? value : value - 0x10000);
}

static void put_u16(uint8_t *to, uint16_t value)
{
    to[0] = (uint8_t)(value & 0xFFu);
    to[1] = (uint8_t)(value >> 8);
}

static void put_u32(uint8_t *to, uint32_t value)
{
    put_u16(to, (uint16_t)(value & 0xFFFFu));
    put_u16(to + 2, (uint16_t)(value >> 16));
}

static void put_u64(uint8_t *to, uint64_t value)
{
    put_u32(to, (uint32_t)(value & 0xFFFFFFFFu));
    put_u32(to + 4, (uint32_t)(value >> 32));
}

/* ---- what is sampled */

static int place_of(const uint8_t *table, int size, unsigned value)
{
    for (int place = 0; place < size; place++) {
        if (table[place] == value) {
            return place;
        }
    }
    return -1;
}

static int place_of_gyr(unsigned value)
{
    for (int place = 0; place < GYR_RANGES; place++) {
        if (GYR_RANGES_DPS[place] == value) {
            return place;
        }
    }
    return -1;
}

static bool has(unsigned mask, int place)
{
    return place >= 0 && ((mask >> (unsigned)place) & 1u) != 0;
}

bool pv1_is_sampling(const pv1_sampling *sampling)
{
    if (sampling->layout == PV1_LAYOUT_NONE) {
        return sampling->rate_hz == 0 && sampling->acc_range_g == 0 && sampling->gyr_range_dps == 0;
    }
    if (place_of(RATES_HZ, RATES, sampling->rate_hz) < 0 ||
        place_of(ACC_RANGES_G, ACC_RANGES, sampling->acc_range_g) < 0) {
        return false;
    }
    if (sampling->layout == PV1_LAYOUT_ACC) {
        return sampling->gyr_range_dps == 0;
    }
    return sampling->layout == PV1_LAYOUT_ACC_GYR && place_of_gyr(sampling->gyr_range_dps) >= 0;
}

bool pv1_offers(const pv1_info *info, const pv1_sampling *asked)
{
    bool with_gyr = asked->layout == PV1_LAYOUT_ACC_GYR;
    if (asked->layout == PV1_LAYOUT_NONE || !pv1_is_sampling(asked)) {
        return false;
    }
    return has(info->rates_mask, place_of(RATES_HZ, RATES, asked->rate_hz)) &&
           has(info->acc_ranges_mask, place_of(ACC_RANGES_G, ACC_RANGES, asked->acc_range_g)) &&
           (!with_gyr || has(info->gyr_ranges_mask, place_of_gyr(asked->gyr_range_dps)));
}

size_t pv1_sample_bytes(uint8_t layout)
{
    return layout == PV1_LAYOUT_ACC || layout == PV1_LAYOUT_ACC_GYR ? (size_t)layout * 6u : 0u;
}

unsigned pv1_samples_per_packet(unsigned att_mtu, uint8_t rate_hz, uint8_t layout)
{
    const unsigned most = PV1_MOTION_MAX_BYTES + 3u; /* a greater MTU makes no longer packet */
    unsigned mtu = att_mtu < most ? att_mtu : most;
    unsigned size = (unsigned)pv1_sample_bytes(layout);
    unsigned fit = mtu > 11u && size > 0u ? (mtu - 11u) / size : 0u;
    unsigned quarter_second = rate_hz / 4u;
    unsigned count = fit < quarter_second ? fit : quarter_second;
    return count > 0u ? count : 1u;
}

uint64_t pv1_ticks(uint64_t time_us)
{
    /* 1024 / 1000000 = 16 / 15625, whole parts apart from the rest so that no clock overflows */
    return time_us / 15625u * 16u + time_us % 15625u * 16u / 15625u;
}

uint16_t pv1_time_1024(uint64_t time_us)
{
    return (uint16_t)(pv1_ticks(time_us) & 0xFFFFu);
}

static void get_sampling(const uint8_t *from, pv1_sampling *sampling)
{
    sampling->rate_hz = from[0];
    sampling->acc_range_g = from[1];
    sampling->gyr_range_dps = (uint16_t)((uint32_t)from[2] * GYR_UNIT_DPS);
    sampling->layout = from[3];
}

/* False where the range of the gyroscope has no number on the wire. */
static bool put_sampling(uint8_t *to, const pv1_sampling *sampling)
{
    if (sampling->gyr_range_dps % GYR_UNIT_DPS != 0 || sampling->gyr_range_dps / GYR_UNIT_DPS > 0xFF) {
        return false;
    }
    to[0] = sampling->rate_hz;
    to[1] = sampling->acc_range_g;
    to[2] = (uint8_t)(sampling->gyr_range_dps / GYR_UNIT_DPS);
    to[3] = sampling->layout;
    return true;
}

/* ---- commands */

static size_t command_bytes(uint8_t opcode)
{
    switch (opcode) {
    case PV1_START:
        return 5;
    case PV1_STOP:
    case PV1_TIME:
    case PV1_IDENTIFY:
        return 1;
    case PV1_VIBRATE:
        return 2;
    case PV1_FETCH:
        return 10;
    default:
        return 0;
    }
}

static pv1_verdict length_verdict(size_t length, size_t wanted)
{
    if (wanted == 0) {
        return PV1_UNKNOWN_KIND;
    }
    if (length < wanted) {
        return PV1_TOO_SHORT;
    }
    return length > wanted ? PV1_TOO_LONG : PV1_OK;
}

pv1_verdict pv1_read_command(const uint8_t *data, size_t length, pv1_command *command)
{
    if (length == 0) {
        return PV1_TOO_SHORT;
    }
    pv1_verdict verdict = length_verdict(length, command_bytes(data[0]));
    if (verdict != PV1_OK) {
        return verdict;
    }
    memset(command, 0, sizeof *command);
    command->opcode = data[0];
    if (data[0] == PV1_START) {
        get_sampling(data + 1, &command->start);
    } else if (data[0] == PV1_VIBRATE) {
        command->pattern = data[1];
    } else if (data[0] == PV1_FETCH) {
        command->fetch.stream = data[1];
        command->fetch.first = get_u32(data + 2);
        command->fetch.count = get_u32(data + 6);
    }
    return PV1_OK;
}

pv1_verdict pv1_write_command(const pv1_command *command, uint8_t out[PV1_CONTROL_MAX_BYTES], size_t *length)
{
    uint8_t bytes[PV1_CONTROL_MAX_BYTES] = {0};
    size_t wanted = command_bytes(command->opcode);
    if (wanted == 0) {
        return PV1_UNKNOWN_KIND;
    }
    bytes[0] = command->opcode;
    if (command->opcode == PV1_START && !put_sampling(bytes + 1, &command->start)) {
        return PV1_BAD_VALUE;
    }
    if (command->opcode == PV1_VIBRATE) {
        bytes[1] = command->pattern;
    } else if (command->opcode == PV1_FETCH) {
        bytes[1] = command->fetch.stream;
        put_u32(bytes + 2, command->fetch.first);
        put_u32(bytes + 6, command->fetch.count);
    }
    memcpy(out, bytes, wanted);
    *length = wanted;
    return PV1_OK;
}

/* ---- answers */

static size_t answer_bytes(uint8_t opcode)
{
    switch (opcode) {
    case PV1_STARTED:
    case PV1_FETCH_DONE:
        return 15;
    case PV1_STOPPED:
        return 7;
    case PV1_TIME_ANSWER:
        return 19;
    case PV1_VIBRATING:
    case PV1_IDENTIFYING:
    case PV1_UNSUPPORTED:
        return 2;
    default:
        return 0;
    }
}

static pv1_verdict answer_verdict(const pv1_answer *answer)
{
    bool started = answer->opcode == PV1_STARTED;
    if (!started && answer->opcode != PV1_TIME_ANSWER) {
        return PV1_OK;
    }
    if (answer->time_us >> CLOCK_BITS != 0 || !pv1_is_sampling(&answer->sampling)) {
        return PV1_BAD_VALUE;
    }
    /* a Start that was done samples something */
    bool nothing = started && answer->result == PV1_DONE && answer->sampling.layout == PV1_LAYOUT_NONE;
    return nothing ? PV1_BAD_VALUE : PV1_OK;
}

static void get_answer(const uint8_t *data, pv1_answer *answer)
{
    switch (answer->opcode) {
    case PV1_STARTED:
        answer->stream = data[2];
        answer->time_us = get_u64(data + 3);
        get_sampling(data + 11, &answer->sampling);
        break;
    case PV1_TIME_ANSWER:
        answer->stream = data[2];
        answer->index = get_u32(data + 3);
        answer->time_us = get_u64(data + 7);
        get_sampling(data + 15, &answer->sampling);
        break;
    case PV1_STOPPED:
        answer->stream = data[2];
        answer->index = get_u32(data + 3);
        break;
    case PV1_FETCH_DONE:
        answer->stream = data[2];
        answer->index = get_u32(data + 3);
        answer->sent = get_u32(data + 7);
        answer->gone = get_u32(data + 11);
        break;
    default:
        break;
    }
}

pv1_verdict pv1_read_answer(const uint8_t *data, size_t length, pv1_answer *answer)
{
    if (length == 0) {
        return PV1_TOO_SHORT;
    }
    pv1_verdict verdict = length_verdict(length, answer_bytes(data[0]));
    if (verdict != PV1_OK) {
        return verdict;
    }
    memset(answer, 0, sizeof *answer);
    answer->opcode = data[0];
    if (data[0] == PV1_UNSUPPORTED) {
        answer->command = data[1];
    } else {
        answer->result = data[1];
    }
    get_answer(data, answer);
    return answer_verdict(answer);
}

/* What stands behind the first two bytes; the sampling has passed answer_verdict. */
static void put_answer(uint8_t *bytes, const pv1_answer *answer)
{
    switch (answer->opcode) {
    case PV1_STARTED:
        bytes[2] = answer->stream;
        put_u64(bytes + 3, answer->time_us);
        (void)put_sampling(bytes + 11, &answer->sampling);
        break;
    case PV1_TIME_ANSWER:
        bytes[2] = answer->stream;
        put_u32(bytes + 3, answer->index);
        put_u64(bytes + 7, answer->time_us);
        (void)put_sampling(bytes + 15, &answer->sampling);
        break;
    case PV1_STOPPED:
        bytes[2] = answer->stream;
        put_u32(bytes + 3, answer->index);
        break;
    case PV1_FETCH_DONE:
        bytes[2] = answer->stream;
        put_u32(bytes + 3, answer->index);
        put_u32(bytes + 7, answer->sent);
        put_u32(bytes + 11, answer->gone);
        break;
    default:
        break;
    }
}

pv1_verdict pv1_write_answer(const pv1_answer *answer, uint8_t out[PV1_CONTROL_MAX_BYTES], size_t *length)
{
    uint8_t bytes[PV1_CONTROL_MAX_BYTES] = {0};
    size_t wanted = answer_bytes(answer->opcode);
    if (wanted == 0) {
        return PV1_UNKNOWN_KIND;
    }
    pv1_verdict verdict = answer_verdict(answer);
    if (verdict != PV1_OK) {
        return verdict;
    }
    bytes[0] = answer->opcode;
    bytes[1] = answer->opcode == PV1_UNSUPPORTED ? answer->command : answer->result;
    put_answer(bytes, answer);
    memcpy(out, bytes, wanted);
    *length = wanted;
    return PV1_OK;
}

/* ---- readings */

static bool is_battery(uint8_t battery_pct)
{
    return battery_pct <= 100 || battery_pct == PV1_BATTERY_UNKNOWN;
}

pv1_verdict pv1_read_status(const uint8_t *data, size_t length, pv1_status *status)
{
    pv1_verdict verdict = length_verdict(length, PV1_STATUS_BYTES);
    if (verdict != PV1_OK) {
        return verdict;
    }
    status->stream = data[0];
    status->flags = data[1];
    status->newest = get_u32(data + 2);
    status->oldest = get_u32(data + 6);
    status->dropped = get_u32(data + 10);
    status->uptime_s = get_u32(data + 14);
    status->battery_pct = data[18];
    status->temp_c = (int8_t)(data[19] < 0x80 ? data[19] : (int)data[19] - 0x100);
    return is_battery(status->battery_pct) ? PV1_OK : PV1_BAD_VALUE;
}

pv1_verdict pv1_write_status(const pv1_status *status, uint8_t out[PV1_STATUS_BYTES], size_t *length)
{
    if (!is_battery(status->battery_pct)) {
        return PV1_BAD_VALUE;
    }
    out[0] = status->stream;
    out[1] = status->flags;
    put_u32(out + 2, status->newest);
    put_u32(out + 6, status->oldest);
    put_u32(out + 10, status->dropped);
    put_u32(out + 14, status->uptime_s);
    out[18] = status->battery_pct;
    out[19] = (uint8_t)((unsigned)status->temp_c & 0xFFu);
    *length = PV1_STATUS_BYTES;
    return PV1_OK;
}

pv1_verdict pv1_read_info(const uint8_t *data, size_t length, pv1_info *info)
{
    if (length < PV1_INFO_BYTES) {
        return PV1_TOO_SHORT;
    }
    info->major = data[0];
    info->minor = data[1];
    info->capabilities = get_u16(data + 2);
    memcpy(info->identity, data + 4, PV1_IDENTITY_BYTES);
    info->rates_mask = data[20];
    info->acc_ranges_mask = data[21];
    info->gyr_ranges_mask = data[22];
    info->buffer_samples = get_u32(data + 23);
    return PV1_OK;
}

pv1_verdict pv1_write_info(const pv1_info *info, uint8_t out[PV1_INFO_BYTES], size_t *length)
{
    out[0] = info->major;
    out[1] = info->minor;
    put_u16(out + 2, info->capabilities);
    memcpy(out + 4, info->identity, PV1_IDENTITY_BYTES);
    out[20] = info->rates_mask;
    out[21] = info->acc_ranges_mask;
    out[22] = info->gyr_ranges_mask;
    put_u32(out + 23, info->buffer_samples);
    *length = PV1_INFO_BYTES;
    return PV1_OK;
}

/* ---- motion */

pv1_verdict pv1_read_motion(const uint8_t *data, size_t length, pv1_motion *motion)
{
    if (length < PV1_MOTION_HEADER_BYTES) {
        return PV1_TOO_SHORT;
    }
    if (length > PV1_MOTION_MAX_BYTES) {
        return PV1_TOO_LONG;
    }
    size_t size = pv1_sample_bytes(data[0] & LAYOUT_BITS);
    size_t rest = length - PV1_MOTION_HEADER_BYTES;
    if (size == 0) {
        return PV1_UNKNOWN_KIND;
    }
    if (rest == 0 || rest % size != 0) {
        return PV1_BAD_VALUE;
    }
    motion->layout = data[0] & LAYOUT_BITS;
    motion->marks = data[0] & MARK_BITS; /* bits 6 and 7 are ignored */
    motion->stream = data[1];
    motion->index = get_u32(data + 2);
    motion->time_1024 = get_u16(data + 6);
    motion->count = (uint16_t)(rest / size);
    return PV1_OK;
}

int16_t pv1_raw(const uint8_t *data, const pv1_motion *motion, unsigned number, unsigned axis)
{
    size_t size = pv1_sample_bytes(motion->layout);
    if (number >= motion->count || 2u * (size_t)axis >= size) {
        return 0;
    }
    return get_i16(data + PV1_MOTION_HEADER_BYTES + number * size + 2u * (size_t)axis);
}

pv1_verdict pv1_write_motion(const pv1_motion *motion, const int16_t *raw, uint8_t *out, size_t room, size_t *length)
{
    size_t size = pv1_sample_bytes(motion->layout);
    if (size == 0 || motion->count == 0 || (motion->marks & ~MARK_BITS) != 0 ||
        motion->count > (PV1_MOTION_MAX_BYTES - PV1_MOTION_HEADER_BYTES) / size) {
        return PV1_BAD_VALUE;
    }
    size_t wanted = PV1_MOTION_HEADER_BYTES + size * motion->count;
    if (wanted > room) {
        return PV1_NO_ROOM;
    }
    out[0] = (uint8_t)(motion->layout | motion->marks);
    out[1] = motion->stream;
    put_u32(out + 2, motion->index);
    put_u16(out + 6, motion->time_1024);
    for (size_t number = 0; number < size / 2u * motion->count; number++) {
        put_u16(out + PV1_MOTION_HEADER_BYTES + 2u * number, (uint16_t)raw[number]);
    }
    *length = wanted;
    return PV1_OK;
}

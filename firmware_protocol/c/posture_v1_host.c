/*
 * posture_v1: how a host places packets in time. See posture_v1_host.h.
 *
 * Integers only, so the same decision on any machine. Device clocks stay below 2^52 us and indices below 2^33, so no
 * product overflows 64 bits.
 */
#include "posture_v1_host.h"

#include <string.h>

#define US_PER_S 1000000
#define TICKS_PER_S 1024
#define ALONE_S 60                   /* a jump of this length may be believed on the 16-bit time alone */
#define HOST_SLACK_US (10 * US_PER_S)
#define CLOCK_SLACK_US (2 * US_PER_S)

int32_t pv1_difference_u32(uint32_t later, uint32_t earlier)
{
    uint32_t forward = later - earlier;
    int64_t signed_forward = (int64_t)forward;
    return (int32_t)(forward < 0x80000000u ? signed_forward : signed_forward - 0x100000000);
}

static int64_t size_of(int64_t number)
{
    return number < 0 ? -number : number;
}

/* Floor of the division's rest: from 0 to `by` - 1 whatever the sign. */
static int64_t modulo(int64_t number, int64_t by)
{
    int64_t rest = number % by;
    return rest < 0 ? rest + by : rest;
}

static int64_t floor_of(int64_t number, int64_t by)
{
    return (number - modulo(number, by)) / by;
}

static uint32_t low_u32(int64_t number)
{
    return (uint32_t)((uint64_t)number & 0xFFFFFFFFu);
}

static bool same_sampling(const pv1_sampling *one, const pv1_sampling *other)
{
    return one->rate_hz == other->rate_hz && one->acc_range_g == other->acc_range_g &&
           one->gyr_range_dps == other->gyr_range_dps && one->layout == other->layout;
}

/* ---- answers */

static void set_anchor(pv1_follower *follower, const pv1_answer *answer, int64_t index, int64_t host_us)
{
    bool asked = answer->opcode == PV1_TIME_ANSWER;
    follower->anchor_index = index;
    follower->anchor_ticks = (int64_t)pv1_ticks(answer->time_us);
    follower->anchor_host_us = host_us;
    /* sample 0 is taken within 1 s of Started; behind a Time answer up to 250 ms may not have been counted yet */
    follower->slack_ticks = asked ? TICKS_PER_S / 4 + TICKS_PER_S / answer->sampling.rate_hz : TICKS_PER_S;
    follower->told_index = index;
    follower->told_us = (int64_t)answer->time_us;
}

static void begin(pv1_follower *follower, const pv1_answer *answer, int64_t host_us)
{
    int64_t joined = answer->opcode == PV1_TIME_ANSWER ? (int64_t)answer->index : 0;
    follower->segment += follower->sampling.rate_hz != 0 ? 1u : 0u; /* 0 before the first answer */
    follower->is_known = true;
    follower->is_joining = joined > 0;
    follower->stream = answer->stream;
    follower->sampling = answer->sampling;
    follower->next = joined;
    set_anchor(follower, answer, joined, host_us);
}

/* Whether the answer tells of this very stream, counted and timed on without a break. */
static bool goes_on(const pv1_follower *follower, const pv1_answer *answer)
{
    if (!follower->is_known || answer->stream != follower->stream ||
        !same_sampling(&answer->sampling, &follower->sampling)) {
        return false;
    }
    int64_t taken = pv1_difference_u32(answer->index, low_u32(follower->told_index));
    int64_t taken_us = taken * US_PER_S / follower->sampling.rate_hz;
    int64_t passed_us = (int64_t)answer->time_us - follower->told_us;
    return taken >= 0 && passed_us >= 0 &&
           size_of(taken_us - passed_us) <= passed_us / 50 + CLOCK_SLACK_US;
}

/* The stream has samples up to `end` and no more. */
static int64_t finish(pv1_follower *follower, uint32_t end)
{
    int64_t lost = pv1_difference_u32(end, low_u32(follower->next));
    lost = lost > 0 ? lost : 0;
    follower->next += lost;
    return lost;
}

static int64_t stopped_since(pv1_follower *follower, const pv1_answer *answer)
{
    bool same = follower->is_known && answer->stream == follower->stream;
    if (same && (int64_t)answer->time_us >= follower->told_us &&
        pv1_difference_u32(answer->index, low_u32(follower->told_index)) >= 0) {
        return finish(follower, answer->index);
    }
    follower->is_known = false;
    return 0;
}

int64_t pv1_follow_answer(pv1_follower *follower, const pv1_answer *answer, int64_t host_us)
{
    bool of_stop = answer->opcode == PV1_STOPPED;
    if (of_stop && (answer->result == PV1_DONE || answer->result == PV1_NOT_SAMPLING)) {
        return follower->is_known && answer->stream == follower->stream ? finish(follower, answer->index + 1u) : 0;
    }
    if (answer->result != PV1_DONE || (answer->opcode != PV1_STARTED && answer->opcode != PV1_TIME_ANSWER)) {
        return 0;
    }
    if (!pv1_is_sampling(&answer->sampling)) {
        return 0; /* no answer that was read */
    }
    if (answer->sampling.layout == PV1_LAYOUT_NONE) {
        return stopped_since(follower, answer);
    }
    if (answer->opcode == PV1_TIME_ANSWER && goes_on(follower, answer)) {
        int64_t taken = pv1_difference_u32(answer->index, low_u32(follower->told_index));
        set_anchor(follower, answer, follower->told_index + taken, host_us);
    } else {
        begin(follower, answer, host_us);
    }
    return 0;
}

/* ---- motion */

/* How far the packet's time is from what its index says, in ticks * rate, modulo 64 s, nearest to 0. */
static int64_t deviation(const pv1_follower *follower, int64_t delta, uint16_t time_1024)
{
    int64_t rate = follower->sampling.rate_hz;
    int64_t turn = rate * 65536;
    int64_t passed = ((int64_t)time_1024 - follower->anchor_ticks) * rate - delta * TICKS_PER_S;
    return modulo(passed + turn / 2, turn) - turn / 2;
}

/* A jump of over 60 s must fit the host's clock; what a buffer holds may be of any age, but not of the future. */
static bool is_believed(const pv1_follower *follower, int64_t delta, int64_t host_us, bool backfilled)
{
    int64_t rate = follower->sampling.rate_hz;
    int64_t length_us = delta * US_PER_S / rate;
    int64_t passed_us = host_us - follower->anchor_host_us;
    bool fits = size_of(passed_us - length_us) <= size_of(length_us) / 50 + HOST_SLACK_US;
    bool is_past = length_us <= passed_us + size_of(passed_us) / 50 + HOST_SLACK_US;
    return size_of(delta) <= ALONE_S * rate || fits || (backfilled && is_past);
}

/* Whether live samples [index, end) are new; what lies before them is lost. */
static bool advance(pv1_follower *follower, int64_t end, pv1_place *place)
{
    if (follower->is_joining && place->index < follower->next) {
        follower->next = place->index;
    }
    follower->is_joining = false;
    if (end <= follower->next) {
        return false;
    }
    place->lost = place->index > follower->next ? place->index - follower->next : 0;
    follower->next = end;
    return true;
}

pv1_arrival pv1_follow_motion(pv1_follower *follower, const pv1_motion *motion, int64_t host_us, pv1_place *place)
{
    if (!follower->is_known || motion->stream != follower->stream || motion->layout != follower->sampling.layout) {
        return PV1_UNEXPECTED;
    }
    bool backfilled = (motion->marks & PV1_BACKFILLED) != 0;
    int64_t rate = follower->sampling.rate_hz;
    int64_t delta = pv1_difference_u32(motion->index, low_u32(follower->anchor_index));
    int64_t off = deviation(follower, delta, motion->time_1024);
    /* 2 % + 8 ms, in ticks * rate * 125 */
    int64_t allowed = 2560 * size_of(delta) + (1024 + 125 * follower->slack_ticks) * rate;
    if (size_of(off) * 125 > allowed || follower->anchor_index + delta < 0 ||
        !is_believed(follower, delta, host_us, backfilled)) {
        return PV1_DOUBTFUL;
    }
    place->index = follower->anchor_index + delta;
    place->ticks = follower->anchor_ticks + floor_of(delta * TICKS_PER_S + off, rate);
    place->lost = 0;
    if (backfilled || !advance(follower, place->index + motion->count, place)) {
        return PV1_EARLIER;
    }
    follower->anchor_index = place->index;
    follower->anchor_ticks = place->ticks;
    follower->anchor_host_us = host_us;
    follower->slack_ticks = 0;
    return PV1_FRESH;
}

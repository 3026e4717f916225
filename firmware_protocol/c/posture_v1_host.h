/*
 * posture_v1: how a host that is written in C, a gateway or a test bench, places packets in time (section 10 of
 * ../README.md). A sensor does not need this file.
 *
 * Knows: one stream at a time, its counters made whole. Must never know: samples, radios. Allocates nothing. It is
 * simpler than the Python decoder: it does not remember which samples of a gap have come late, so it cannot tell one
 * of those from one that comes twice, and it does not give in to four packets that disagree.
 */
#ifndef POSTURE_V1_HOST_H
#define POSTURE_V1_HOST_H

#include "posture_v1.h"

#ifdef __cplusplus
extern "C" {
#endif

/* All zero before the first answer. */
typedef struct {
    bool is_known;         /* an answer has told what is sampled */
    bool is_joining;       /* the stream ran before; its first packet may have been begun before the answer */
    uint8_t stream;
    pv1_sampling sampling; /* in force */
    uint32_t segment;      /* how many streams, or parts of one, came before this */
    int64_t next;          /* number of the next live sample */
    int64_t told_index;    /* of the last answer: where it was then */
    int64_t told_us;
    int64_t anchor_index;  /* of the last live packet or answer: a sample whose device time is known */
    int64_t anchor_ticks;
    int64_t anchor_host_us;
    int64_t slack_ticks;
} pv1_follower;

typedef enum {
    PV1_FRESH,     /* live, and further on than anything before; what lies between is lost */
    PV1_EARLIER,   /* sent from the buffer, late, or a second time */
    PV1_DOUBTFUL,  /* index and device time disagree */
    PV1_UNEXPECTED /* of a stream or a layout that no answer told of */
} pv1_arrival;

typedef struct {
    int64_t index;  /* number of the first sample, not wrapped */
    int64_t ticks;  /* its device time in 1/1024 s, not wrapped */
    int64_t lost;   /* samples between this packet and what came before */
} pv1_place;

/* `later` - `earlier` for counters that wrap: the difference nearest to 0. */
int32_t pv1_difference_u32(uint32_t later, uint32_t earlier);

/* An answer came at `host_us` of the host's own clock, which never steps (from 0 to 2^52). Returns how many samples at
 * the end of a stream were lost. */
int64_t pv1_follow_answer(pv1_follower *follower, const pv1_answer *answer, int64_t host_us);

/* A packet came. `place` is filled for PV1_FRESH and PV1_EARLIER. */
pv1_arrival pv1_follow_motion(pv1_follower *follower, const pv1_motion *motion, int64_t host_us, pv1_place *place);

#ifdef __cplusplus
}
#endif

#endif

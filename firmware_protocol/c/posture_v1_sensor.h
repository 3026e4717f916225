/*
 * posture_v1: what a sensor has to count and to remember (sections 4 and 6 to 9 of ../README.md).
 *
 * Knows: streams, the number of samples taken, the packet in hand, what a buffer holds. Must never know: a chip, a
 * radio, a clock; the firmware brings samples and times, and carries bytes. Allocates nothing. Nothing here is atomic:
 * call it from one thread, or under one lock.
 */
#ifndef POSTURE_V1_SENSOR_H
#define POSTURE_V1_SENSOR_H

#include "posture_v1.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Read what you like, write nothing: every function below keeps the fields consistent with each other. */
typedef struct {
    pv1_sampling sampling;   /* what was asked by the last Start, also after Stop: what the buffer holds */
    bool is_sampling;
    uint8_t stream;          /* the one that runs, or the last */
    uint32_t taken;          /* samples of it, mod 2^32 = number of the next one */
    uint32_t dropped;        /* those of them that were never handed to the radio as live Motion, mod 2^32 */
    uint32_t buffered;       /* how many of the newest the buffer holds */
    uint32_t buffer_samples; /* how many it can hold; 0 = no buffer */
    unsigned att_mtu;        /* 0 = nobody listens to Motion */
    uint8_t *packet;         /* the packet in hand */
    size_t room;             /* bytes there */
    unsigned planned;        /* samples it is to have */
    unsigned in_hand;        /* samples it has */
} pv1_sensor;

/* After a reset. `random_stream`: a random byte. `packet`: memory for the packet in hand, 20 bytes at least; more than
 * 512 are never used. It stays the caller's and must outlive the sensor. */
void pv1_boot(pv1_sensor *sensor, uint8_t random_stream, uint32_t buffer_samples, uint8_t *packet, size_t room);

/* Somebody listens to Motion, over a link of this ATT MTU (or the MTU has grown, which counts from the next packet
 * on); 0: nobody does any more, as after a lost link. What was in hand is then dropped and not kept for later. Without
 * this call nobody listens, and every sample is dropped. */
void pv1_listens(pv1_sensor *sensor, unsigned att_mtu);

/* ---- Control */

/* Read a command. False where it is none, or of another length: then `answer` says Unsupported, and is all there is
 * to do; the command's opcode is 0. */
bool pv1_understand(const uint8_t *data, size_t length, pv1_command *command, pv1_answer *answer);

/* Begin a new stream. Send what is in hand (pv1_take_packet) and end a running Fetch first, and call it only with what
 * pv1_offers() and the chip accepted. */
void pv1_begin(pv1_sensor *sensor, const pv1_sampling *sampling);
/* End the stream. Send what is in hand first. Counter and buffer stay. */
void pv1_end(pv1_sensor *sensor);

/* The answers; `time_us` is the device clock now. Make them when what they tell of has happened. */
void pv1_started(const pv1_sensor *sensor, uint8_t result, uint64_t time_us, pv1_answer *answer);
/* `was_sampling`: whether there was something to stop; without, the result is "was not sampling". */
void pv1_stopped(const pv1_sensor *sensor, bool was_sampling, pv1_answer *answer);
void pv1_time_answer(const pv1_sensor *sensor, uint64_t time_us, pv1_answer *answer);
/* To a command that this sensor does not have: see `capabilities`. */
void pv1_unsupported(uint8_t command_opcode, pv1_answer *answer);
/* To Vibrate or Identify. */
void pv1_done(uint8_t command_opcode, uint8_t result, pv1_answer *answer);
/* `flags`: PV1_WORN and PV1_CHARGING as they are; the others are added here. */
void pv1_tell_status(const pv1_sensor *sensor, uint8_t flags, uint64_t time_us, pv1_status *status);

/* ---- Samples */

/* One sample was taken at `time_us`: `raw` has 3 or 6 numbers, as the layout has it, `marks` is PV1_CLIPPED, PV1_MOTOR,
 * both or 0. Call it for every sample, whether anyone listens or not; put it into the buffer afterwards, at place
 * (taken - 1) mod buffer_samples or however you keep it (a power of two keeps these places in a row where the number
 * wraps). True: the packet in hand is full, send it. */
bool pv1_sample(pv1_sensor *sensor, uint64_t time_us, const int16_t *raw, uint8_t marks);

/* The packet in hand, full or not, and its length; NULL where there is none. It counts as handed to the radio and is
 * yours until the next call of pv1_sample. */
const uint8_t *pv1_take_packet(pv1_sensor *sensor, size_t *length);

/* A live packet that was taken in hand never went out: its samples are dropped. */
void pv1_drop(pv1_sensor *sensor, const uint8_t *packet, size_t length);

/* ---- Buffer (capability PV1_CAN_BUFFER). The memory is the firmware's; here is which samples to send. */

/* A Fetch that runs. */
typedef struct {
    pv1_fetch asked;
    bool runs;
    uint32_t next; /* number of the next sample to look for */
    uint32_t left; /* how many of those asked for have not been looked for */
    uint32_t sent;
    uint32_t gone;
} pv1_fetching;

/* A Fetch was asked. True: it runs, over what has been taken up to now; call pv1_fetch_next whenever no live packet
 * waits. False: `answer` is to be indicated at once. */
bool pv1_fetch_begin(const pv1_sensor *sensor, pv1_fetching *fetching, const pv1_fetch *asked, pv1_answer *answer);
/* The next packet to send: `count` samples from number `first` on, all of them held now. False: there are no more, or
 * nobody listens any more, so that pv1_fetch_end is due. A Stop ends nothing. */
bool pv1_fetch_next(const pv1_sensor *sensor, pv1_fetching *fetching, uint32_t *first, unsigned *count);
/* The Fetch ends: at its end, before a Start, or when Motion is unsubscribed. What was not sent is gone. After a lost
 * link it is called as well, but nobody wants the answer. */
void pv1_fetch_end(pv1_fetching *fetching, pv1_answer *answer);

#ifdef __cplusplus
}
#endif

#endif

/*
 * A chip, a radio and a clock for the firmware of firmware_protocol/c/README.md, told line by line what happens to them
 * by test_c_codec.py. guide.c is the code of that page, as printed. One line of answer for each line.
 *
 *   chip N         the chip takes N samples: raw = number since its set-up, rate, range, layout, ... ; queued
 *   read           its queue is brought to the firmware
 *   broken N       the next N times, the chip is not set up
 *   write HEX      a write to Control; "kept" where the firmware wants it again
 *   confirmed      the host has confirmed
 *   link MTU MOTION STATUS
 *   radio MOTION STATUS CONTROL    whether there is room for each
 *   wait US        time passes, then comes a tick
 *   status, info   a read
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guide.c"

enum { QUEUED_AT_MOST = 512 };

static const firmware *told;
static uint64_t clock_us = 4000000;
static unsigned broken;
static bool motion_has_room = true, status_has_room = true, control_has_room = true;
static struct {
    pv1_sampling as;
    bool runs;
    unsigned taken;
    unsigned queued;
    int16_t raw[QUEUED_AT_MOST][6];
    uint64_t taken_us[QUEUED_AT_MOST];
} chip;

static void give_up(const char *why)
{
    fprintf(stderr, "platform: %s\n", why);
    exit(2);
}

static unsigned number(void)
{
    const char *found = strtok(NULL, " \n");
    if (found == NULL) {
        give_up("a number is missing");
    }
    return (unsigned)strtoul(found, NULL, 10);
}

static void say(const char *what, const uint8_t *data, size_t length)
{
    printf("%s ", what);
    for (size_t k = 0; k < length; k++) {
        printf("%02x", data[k]);
    }
    printf(" ");
}

/* ---- what the firmware asks for */

void get_identity(uint8_t out[PV1_IDENTITY_BYTES])
{
    memset(out, 0xA5, PV1_IDENTITY_BYTES);
}

uint8_t random_byte(void)
{
    return 6;
}

uint64_t now_us(void)
{
    return clock_us;
}

bool set_up_chip(const pv1_sampling *sampling)
{
    if (chip.runs) {
        give_up("a chip is set up that runs");
    }
    if (broken > 0) {
        broken--;
        return false;
    }
    chip.as = *sampling;
    chip.runs = true;
    chip.taken = 0;
    return true;
}

static void bring_what_is_queued(void)
{
    for (unsigned k = 0; k < chip.queued; k++) {
        told->sample(chip.raw[k], chip.taken_us[k], false);
    }
    chip.queued = 0;
}

void stop_chip(void)
{
    bring_what_is_queued();
    chip.runs = false;
}

static bool out_of_the_radio(const char *what, bool room, const uint8_t *data, size_t length)
{
    uint8_t *exact = malloc(length); /* the sanitizer sees a length that is too great */
    if (exact == NULL) {
        give_up("no memory");
    }
    memcpy(exact, data, length);
    if (room) {
        say(what, exact, length);
    }
    free(exact);
    return room;
}

bool notify_motion(const uint8_t *data, size_t length)
{
    return out_of_the_radio("motion", motion_has_room, data, length);
}

bool notify_status(const uint8_t *data, size_t length)
{
    return out_of_the_radio("status", status_has_room, data, length);
}

bool indicate_control(const uint8_t *data, size_t length)
{
    return out_of_the_radio("control", control_has_room, data, length);
}

/* ---- what happens to it */

static void take(unsigned samples)
{
    while (chip.runs && samples-- > 0) {
        if (chip.queued == QUEUED_AT_MOST) {
            give_up("the chip's queue is full");
        }
        clock_us += 1000000u / chip.as.rate_hz;
        int16_t *raw = chip.raw[chip.queued];
        raw[0] = (int16_t)chip.taken++;
        raw[1] = chip.as.rate_hz;
        raw[2] = chip.as.acc_range_g;
        raw[3] = chip.as.layout;
        raw[4] = -1;
        raw[5] = -2;
        chip.taken_us[chip.queued++] = clock_us;
    }
}

static void write_control(void)
{
    uint8_t data[PV1_CONTROL_MAX_BYTES];
    size_t length = 0;
    const char *hex = strtok(NULL, " \n");
    unsigned value;
    while (hex != NULL && length < sizeof data && sscanf(hex + 2 * length, "%2x", &value) == 1) {
        data[length++] = (uint8_t)value;
    }
    if (!told->control(data, length)) {
        printf("kept ");
    }
}

static void read_value(bool status)
{
    uint8_t out[PV1_INFO_BYTES];
    size_t length = status ? told->read_status(out) : told->read_info(out);
    say("value", out, length);
}

static void change_link(void)
{
    unsigned att_mtu = number();
    bool motion = number() != 0;
    told->link(att_mtu, motion, number() != 0);
}

static void change_radio(void)
{
    motion_has_room = number() != 0;
    status_has_room = number() != 0;
    control_has_room = number() != 0;
}

static void happen(const char *what)
{
    if (strcmp(what, "chip") == 0) {
        take(number());
    } else if (strcmp(what, "read") == 0) {
        bring_what_is_queued();
    } else if (strcmp(what, "broken") == 0) {
        broken = number();
    } else if (strcmp(what, "write") == 0) {
        write_control();
    } else if (strcmp(what, "confirmed") == 0) {
        told->confirmed();
    } else if (strcmp(what, "link") == 0) {
        change_link();
    } else if (strcmp(what, "radio") == 0) {
        change_radio();
    } else if (strcmp(what, "wait") == 0) {
        clock_us += number();
        told->tick();
    } else if (strcmp(what, "status") == 0 || strcmp(what, "info") == 0) {
        read_value(what[0] == 's');
    } else {
        give_up(what);
    }
}

void run(const firmware *on)
{
    char line[256];
    told = on;
    while (fgets(line, sizeof line, stdin) != NULL) {
        const char *what = strtok(line, " \n");
        if (what == NULL) {
            give_up("an empty line");
        }
        happen(what);
        printf("\n");
    }
}

/*
 * Puts the C codec into the hands of test_c_codec.py: one request a line on stdin, one line of answer on stdout.
 *
 *   read KIND HEX            -> ok name=value ... | the verdict
 *   write KIND name=value... -> ok HEX | the verdict
 *   packet MTU RATE LAYOUT   -> N          ticks US -> ticks time_1024
 *   boot STREAM BUFFER ROOM, listen MTU, take US MARKS V,V..., write_control HEX US, stall 0|1, status US
 *                            -> what a firmware made of posture_v1_sensor.c sends: notify HEX, indicate HEX
 *   fetching N               -> at most N packets of the Fetch that runs, or its answer
 *   begin                    a new stream, by a firmware that forgets the Fetch that runs
 *   follow, answer HEX US, motion HEX US   -> what a host made of posture_v1_host.c concludes
 *
 * An empty HEX is written "-". What is no request ends the program with 2.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "posture_v1.h"
#include "posture_v1_host.h"
#include "posture_v1_sensor.h"

#define MOST 2048

static const char *const VERDICTS[] = {"ok", "TooShort", "TooLong", "UnknownKind", "BadValue", "NoRoom"};

static void give_up(const char *why)
{
    fprintf(stderr, "driver: %s\n", why);
    exit(2);
}

static char *word(void)
{
    char *found = strtok(NULL, " \n");
    if (found == NULL) {
        give_up("a word is missing");
    }
    return found;
}

static uint64_t number(void)
{
    return strtoull(word(), NULL, 10);
}

/* Copies of exactly the right length: a read past the end is seen by the sanitizer. */
static uint8_t *bytes_of(const char *hex, size_t *length)
{
    *length = strcmp(hex, "-") == 0 ? 0 : strlen(hex) / 2;
    uint8_t *data = malloc(*length > 0 ? *length : 1);
    if (data == NULL) {
        give_up("no memory");
    }
    for (size_t k = 0; k < *length; k++) {
        unsigned value = 0;
        if (sscanf(hex + 2 * k, "%2x", &value) != 1) {
            give_up("no hexadecimal number");
        }
        data[k] = (uint8_t)value;
    }
    if (*length == 0) {
        free(data);
        return NULL;
    }
    return data;
}

static void print_hex(const uint8_t *data, size_t length)
{
    for (size_t k = 0; k < length; k++) {
        printf("%02x", data[k]);
    }
}

static void print_sampling(const pv1_sampling *sampling)
{
    printf(" rate_hz=%u acc_range_g=%u gyr_range_dps=%u layout=%u", sampling->rate_hz, sampling->acc_range_g,
           sampling->gyr_range_dps, sampling->layout);
}

/* ---- reading */

static void read_motion(const uint8_t *data, size_t length)
{
    pv1_motion motion;
    pv1_verdict verdict = pv1_read_motion(data, length, &motion);
    printf("%s", VERDICTS[verdict]);
    if (verdict != PV1_OK) {
        return;
    }
    printf(" layout=%u stream=%u index=%" PRIu32 " time_1024=%u backfilled=%d clipped=%d motor=%d raw=", motion.layout,
           motion.stream, motion.index, motion.time_1024, (motion.marks & PV1_BACKFILLED) != 0,
           (motion.marks & PV1_CLIPPED) != 0, (motion.marks & PV1_MOTOR) != 0);
    unsigned axes = motion.layout * 3u;
    for (unsigned sample = 0; sample < motion.count; sample++) {
        for (unsigned axis = 0; axis < axes; axis++) {
            printf("%s%d", sample + axis > 0 ? "," : "", pv1_raw(data, &motion, sample, axis));
        }
    }
    if (pv1_raw(data, &motion, motion.count, 0) != 0 || pv1_raw(data, &motion, 0, axes) != 0) {
        give_up("a number beyond the samples");
    }
}

static void read_command(const uint8_t *data, size_t length)
{
    pv1_command command;
    pv1_verdict verdict = pv1_read_command(data, length, &command);
    printf("%s", VERDICTS[verdict]);
    if (verdict == PV1_OK) {
        printf(" opcode=%u pattern=%u stream=%u first=%" PRIu32 " count=%" PRIu32, command.opcode, command.pattern,
               command.fetch.stream, command.fetch.first, command.fetch.count);
        print_sampling(&command.start);
    }
}

static void read_answer(const uint8_t *data, size_t length)
{
    pv1_answer answer;
    pv1_verdict verdict = pv1_read_answer(data, length, &answer);
    printf("%s", VERDICTS[verdict]);
    if (verdict == PV1_OK) {
        printf(" opcode=%u result=%u stream=%u time_us=%" PRIu64 " index=%" PRIu32 " sent=%" PRIu32 " gone=%" PRIu32
               " command=%u",
               answer.opcode, answer.result, answer.stream, answer.time_us, answer.index, answer.sent, answer.gone,
               answer.command);
        print_sampling(&answer.sampling);
    }
}

static void read_status(const uint8_t *data, size_t length)
{
    pv1_status status;
    pv1_verdict verdict = pv1_read_status(data, length, &status);
    printf("%s", VERDICTS[verdict]);
    if (verdict == PV1_OK) {
        printf(" stream=%u flags=%u newest=%" PRIu32 " oldest=%" PRIu32 " dropped=%" PRIu32 " uptime_s=%" PRIu32
               " battery_pct=%u temp_c=%d",
               status.stream, status.flags, status.newest, status.oldest, status.dropped, status.uptime_s,
               status.battery_pct, status.temp_c);
    }
}

static void read_info(const uint8_t *data, size_t length)
{
    pv1_info info;
    pv1_verdict verdict = pv1_read_info(data, length, &info);
    printf("%s", VERDICTS[verdict]);
    if (verdict == PV1_OK) {
        printf(" major=%u minor=%u capabilities=%u rates_mask=%u acc_ranges_mask=%u gyr_ranges_mask=%u"
               " buffer_samples=%" PRIu32 " identity=",
               info.major, info.minor, info.capabilities, info.rates_mask, info.acc_ranges_mask,
               info.gyr_ranges_mask, info.buffer_samples);
        print_hex(info.identity, sizeof info.identity);
    }
}

static void read_message(void)
{
    const char *kind = word();
    size_t length;
    uint8_t *data = bytes_of(word(), &length);
    if (strcmp(kind, "Motion") == 0) {
        read_motion(data, length);
    } else if (strcmp(kind, "command") == 0) {
        read_command(data, length);
    } else if (strcmp(kind, "answer") == 0) {
        read_answer(data, length);
    } else if (strcmp(kind, "Status") == 0) {
        read_status(data, length);
    } else if (strcmp(kind, "Info") == 0) {
        read_info(data, length);
    } else {
        give_up(kind);
    }
    free(data);
}

/* ---- writing */

static char fields[MOST * 8];

/* The text behind `name=`; "0" where it is not among the fields. */
static const char *text_of(const char *name)
{
    size_t length = strlen(name);
    const char *place = fields;
    while (*place != '\0') {
        if (strncmp(place, name, length) == 0 && place[length] == '=') {
            return place + length + 1;
        }
        place += strcspn(place, " \n");
        place += strspn(place, " \n");
    }
    return "0";
}

static uint64_t field(const char *name)
{
    return strtoull(text_of(name), NULL, 10);
}

static pv1_sampling sampling_of_fields(void)
{
    pv1_sampling sampling;
    sampling.rate_hz = (uint8_t)field("rate_hz");
    sampling.acc_range_g = (uint8_t)field("acc_range_g");
    sampling.gyr_range_dps = (uint16_t)field("gyr_range_dps");
    sampling.layout = (uint8_t)field("layout");
    return sampling;
}

static pv1_verdict write_motion(uint8_t *out, size_t room, size_t *length)
{
    static int16_t raw[MOST];
    size_t numbers = 0;
    const char *place = text_of("raw");
    for (char *end = NULL; numbers < MOST; place = end + 1) {
        raw[numbers++] = (int16_t)strtol(place, &end, 10);
        if (*end != ',') {
            break;
        }
    }
    pv1_motion motion;
    memset(&motion, 0, sizeof motion);
    motion.layout = (uint8_t)field("layout");
    motion.marks = (uint8_t)(field("backfilled") * PV1_BACKFILLED | field("clipped") * PV1_CLIPPED |
                             field("motor") * PV1_MOTOR | field("marks"));
    motion.stream = (uint8_t)field("stream");
    motion.index = (uint32_t)field("index");
    motion.time_1024 = (uint16_t)field("time_1024");
    motion.count = (uint16_t)field("count");
    return pv1_write_motion(&motion, raw, out, field("room") > 0 ? (size_t)field("room") : room, length);
}

static pv1_verdict write_command(uint8_t *out, size_t *length)
{
    pv1_command command;
    memset(&command, 0, sizeof command);
    command.opcode = (uint8_t)field("opcode");
    command.start = sampling_of_fields();
    command.pattern = (uint8_t)field("pattern");
    command.fetch.stream = (uint8_t)field("stream");
    command.fetch.first = (uint32_t)field("first");
    command.fetch.count = (uint32_t)field("count");
    return pv1_write_command(&command, out, length);
}

static pv1_verdict write_answer(uint8_t *out, size_t *length)
{
    pv1_answer answer;
    memset(&answer, 0, sizeof answer);
    answer.opcode = (uint8_t)field("opcode");
    answer.result = (uint8_t)field("result");
    answer.stream = (uint8_t)field("stream");
    answer.time_us = field("time_us");
    answer.sampling = sampling_of_fields();
    answer.index = (uint32_t)field("index");
    answer.sent = (uint32_t)field("sent");
    answer.gone = (uint32_t)field("gone");
    answer.command = (uint8_t)field("command");
    return pv1_write_answer(&answer, out, length);
}

static pv1_verdict write_status(uint8_t *out, size_t *length)
{
    pv1_status status;
    status.stream = (uint8_t)field("stream");
    status.flags = (uint8_t)field("flags");
    status.newest = (uint32_t)field("newest");
    status.oldest = (uint32_t)field("oldest");
    status.dropped = (uint32_t)field("dropped");
    status.uptime_s = (uint32_t)field("uptime_s");
    status.battery_pct = (uint8_t)field("battery_pct");
    status.temp_c = (int8_t)strtol(text_of("temp_c"), NULL, 10);
    return pv1_write_status(&status, out, length);
}

static pv1_verdict write_info(uint8_t *out, size_t *length)
{
    pv1_info info;
    memset(&info, 0, sizeof info);
    info.major = (uint8_t)field("major");
    info.minor = (uint8_t)field("minor");
    info.capabilities = (uint16_t)field("capabilities");
    info.rates_mask = (uint8_t)field("rates_mask");
    info.acc_ranges_mask = (uint8_t)field("acc_ranges_mask");
    info.gyr_ranges_mask = (uint8_t)field("gyr_ranges_mask");
    info.buffer_samples = (uint32_t)field("buffer_samples");
    char identity[33] = "";
    size_t length_of_identity;
    strncpy(identity, text_of("identity"), 32);
    uint8_t *data = bytes_of(identity, &length_of_identity);
    if (data == NULL || length_of_identity != PV1_IDENTITY_BYTES) {
        give_up("an identity has 16 bytes");
    }
    memcpy(info.identity, data, PV1_IDENTITY_BYTES);
    free(data);
    return pv1_write_info(&info, out, length);
}

static void write_message(void)
{
    const char *kind = word();
    const char *rest = strtok(NULL, "\n");
    /* each message into memory of exactly its greatest length */
    size_t room = strcmp(kind, "Motion") == 0 ? PV1_MOTION_MAX_BYTES
                  : strcmp(kind, "Info") == 0 ? PV1_INFO_BYTES
                                              : PV1_CONTROL_MAX_BYTES;
    uint8_t *out = malloc(room);
    size_t length = 0;
    pv1_verdict verdict = PV1_OK;
    snprintf(fields, sizeof fields, "%s", rest == NULL ? "" : rest);
    if (out == NULL) {
        give_up("no memory");
    }
    if (strcmp(kind, "Motion") == 0) {
        verdict = write_motion(out, room, &length);
    } else if (strcmp(kind, "command") == 0) {
        verdict = write_command(out, &length);
    } else if (strcmp(kind, "answer") == 0) {
        verdict = write_answer(out, &length);
    } else if (strcmp(kind, "Status") == 0) {
        verdict = write_status(out, &length);
    } else if (strcmp(kind, "Info") == 0) {
        verdict = write_info(out, &length);
    } else {
        give_up(kind);
    }
    printf("%s ", VERDICTS[verdict]);
    print_hex(out, length);
    free(out);
}

/* ---- a firmware */

typedef struct {
    uint64_t time_us;
    int16_t raw[6];
    uint8_t marks;
} kept_sample;

static pv1_sensor sensor;
static pv1_fetching fetching;
static uint8_t *packet;
static kept_sample *ring;
static bool stalled; /* the radio has no room */
static const pv1_info OFFERS = {1, 0, 0x0F, {0}, 0x1F, 0x0F, 0x1F, 0};

static void boot(void)
{
    uint8_t stream = (uint8_t)number();
    uint32_t buffer_samples = (uint32_t)number();
    size_t room = (size_t)number();
    free(packet);
    free(ring);
    packet = malloc(room);
    ring = calloc(buffer_samples + 1u, sizeof *ring);
    if (packet == NULL || ring == NULL) {
        give_up("no memory");
    }
    memset(&fetching, 0, sizeof fetching);
    stalled = false;
    pv1_boot(&sensor, stream, buffer_samples, packet, room);
}

static void indicate(const pv1_answer *answer)
{
    uint8_t out[PV1_CONTROL_MAX_BYTES];
    size_t length;
    if (pv1_write_answer(answer, out, &length) != PV1_OK) {
        give_up("an answer of its own is not written");
    }
    printf("indicate ");
    print_hex(out, length);
    printf(" ");
}

static void send_what_is_in_hand(void)
{
    size_t length;
    const uint8_t *data = pv1_take_packet(&sensor, &length);
    if (data == NULL) {
        return;
    }
    if (stalled) {
        pv1_drop(&sensor, data, length);
        return;
    }
    printf("notify ");
    print_hex(data, length);
    printf(" ");
}

static void take_sample(void)
{
    kept_sample sample;
    memset(&sample, 0, sizeof sample);
    sample.time_us = number();
    sample.marks = (uint8_t)number();
    char *place = word();
    for (unsigned axis = 0; axis < 6; axis++) {
        sample.raw[axis] = (int16_t)strtol(place, &place, 10);
        if (*place++ != ',') {
            break;
        }
    }
    bool sampling = sensor.is_sampling;
    bool full = pv1_sample(&sensor, sample.time_us, sample.raw, sample.marks);
    if (sampling && sensor.buffer_samples > 0) {
        ring[(sensor.taken - 1u) % sensor.buffer_samples] = sample;
    }
    if (full) {
        send_what_is_in_hand();
    }
}

static void send_from_buffer(uint32_t first, unsigned count)
{
    int16_t raw[PV1_MOTION_MAX_BYTES / 2];
    uint8_t out[PV1_MOTION_MAX_BYTES];
    size_t length;
    unsigned axes = sensor.sampling.layout * 3u;
    pv1_motion motion = {0};
    motion.layout = sensor.sampling.layout;
    motion.marks = PV1_BACKFILLED;
    motion.stream = sensor.stream;
    motion.index = first;
    motion.time_1024 = pv1_time_1024(ring[first % sensor.buffer_samples].time_us);
    motion.count = (uint16_t)count;
    for (unsigned sample = 0; sample < count; sample++) {
        const kept_sample *kept = &ring[(first + sample) % sensor.buffer_samples];
        memcpy(raw + sample * axes, kept->raw, axes * sizeof raw[0]);
        motion.marks = (uint8_t)(motion.marks | kept->marks);
    }
    if (pv1_write_motion(&motion, raw, out, sizeof out, &length) != PV1_OK) {
        give_up("a packet of the buffer is not written");
    }
    printf("notify ");
    print_hex(out, length);
    printf(" ");
}

/* At most `packets` of the running Fetch; its end, where that is reached. */
static void go_on_fetching(unsigned packets)
{
    uint32_t first;
    unsigned count;
    while (fetching.runs && packets-- > 0) {
        if (pv1_fetch_next(&sensor, &fetching, &first, &count)) {
            send_from_buffer(first, count);
        } else {
            pv1_answer answer;
            pv1_fetch_end(&fetching, &answer);
            indicate(&answer);
        }
    }
}

static void start(const pv1_sampling *asked, uint64_t time_us, pv1_answer *answer)
{
    if (!pv1_offers(&OFFERS, asked)) {
        pv1_started(&sensor, PV1_REFUSED, time_us, answer);
        return;
    }
    send_what_is_in_hand();
    if (fetching.runs) {
        pv1_fetch_end(&fetching, answer);
        indicate(answer);
    }
    pv1_begin(&sensor, asked);
    pv1_started(&sensor, PV1_DONE, time_us, answer);
}

static void obey(const pv1_command *command, uint64_t time_us, pv1_answer *answer)
{
    bool sampling = sensor.is_sampling;
    switch (command->opcode) {
    case PV1_START:
        start(&command->start, time_us, answer);
        break;
    case PV1_STOP:
        send_what_is_in_hand();
        pv1_end(&sensor);
        pv1_stopped(&sensor, sampling, answer);
        break;
    case PV1_TIME:
        pv1_time_answer(&sensor, time_us, answer);
        break;
    case PV1_VIBRATE:
        pv1_done(PV1_VIBRATE, command->pattern <= PV1_PATTERN_LONG ? PV1_DONE : PV1_REFUSED, answer);
        break;
    default:
        pv1_done(PV1_IDENTIFY, PV1_DONE, answer);
        break;
    }
}

static void write_control(void)
{
    size_t length;
    uint8_t *data = bytes_of(word(), &length);
    uint64_t time_us = number();
    pv1_command command;
    pv1_answer answer;
    if (!pv1_understand(data, length, &command, &answer)) {
        indicate(&answer);
    } else if (command.opcode != PV1_FETCH) {
        obey(&command, time_us, &answer);
        indicate(&answer);
    } else if (!pv1_fetch_begin(&sensor, &fetching, &command.fetch, &answer)) {
        indicate(&answer);
    }
    free(data);
}

static void tell_status(void)
{
    pv1_status status;
    uint8_t out[PV1_STATUS_BYTES];
    size_t length;
    pv1_tell_status(&sensor, PV1_WORN, number(), &status);
    if (pv1_write_status(&status, out, &length) != PV1_OK) {
        give_up("a status of its own is not written");
    }
    print_hex(out, length);
}

/* ---- a host */

static pv1_follower follower;

static void follow_answer(void)
{
    size_t length;
    uint8_t *data = bytes_of(word(), &length);
    pv1_answer answer;
    int64_t host_us = (int64_t)number();
    if (pv1_read_answer(data, length, &answer) != PV1_OK) {
        give_up("an answer is refused");
    }
    printf("lost %" PRId64, pv1_follow_answer(&follower, &answer, host_us));
    free(data);
}

static void follow_motion(void)
{
    static const char *const ARRIVALS[] = {"fresh", "earlier", "doubtful", "unexpected"};
    size_t length;
    uint8_t *data = bytes_of(word(), &length);
    pv1_motion motion;
    pv1_place place = {0, 0, 0};
    if (pv1_read_motion(data, length, &motion) != PV1_OK) {
        give_up("a packet is refused");
    }
    pv1_arrival arrival = pv1_follow_motion(&follower, &motion, (int64_t)number(), &place);
    printf("%s %" PRId64 " %" PRId64 " %" PRId64 " %" PRIu32, ARRIVALS[arrival], place.index, place.ticks,
           place.lost, follower.segment);
    free(data);
}

/* ---- requests */

static void short_request(const char *request)
{
    if (strcmp(request, "packet") == 0) {
        unsigned att_mtu = (unsigned)number();
        uint8_t rate_hz = (uint8_t)number();
        printf("%u", pv1_samples_per_packet(att_mtu, rate_hz, (uint8_t)number()));
    } else if (strcmp(request, "ticks") == 0) {
        uint64_t time_us = number();
        printf("%" PRIu64 " %u", pv1_ticks(time_us), pv1_time_1024(time_us));
    } else if (strcmp(request, "listen") == 0) {
        pv1_listens(&sensor, (unsigned)number());
    } else if (strcmp(request, "stall") == 0) {
        stalled = number() != 0;
    } else if (strcmp(request, "begin") == 0) {
        pv1_begin(&sensor, &sensor.sampling);
    } else if (strcmp(request, "fetching") == 0) {
        go_on_fetching((unsigned)number());
    } else if (strcmp(request, "follow") == 0) {
        memset(&follower, 0, sizeof follower);
    } else {
        give_up(request);
    }
}

int main(void)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } requests[] = {{"read", read_message},   {"write", write_message},         {"boot", boot},
                    {"take", take_sample},    {"write_control", write_control}, {"status", tell_status},
                    {"answer", follow_answer}, {"motion", follow_motion}};
    static char line[MOST * 8];
    while (fgets(line, sizeof line, stdin) != NULL) {
        const char *request = strtok(line, " \n");
        size_t known = sizeof requests / sizeof requests[0];
        size_t k = 0;
        if (request == NULL) {
            give_up("an empty line");
        }
        while (k < known && strcmp(requests[k].name, request) != 0) {
            k++;
        }
        if (k < known) {
            requests[k].run();
        } else {
            short_request(request);
        }
        printf("\n");
    }
    free(packet);
    free(ring);
    return 0;
}

/* When a process rests from dividing its calls among threads: of times that are made up, what a call
 * has gained, what begins a rest, and how long that is. */
#include "threads/crowding.h"

#include "check.h"

#if RNNAT_TEAM

enum { MICROSECOND = 1000, MILLISECOND = 1000000 };

/* Threads that share work evenly, while one of them has no processor for a while. */
static void test_gain(void)
{
    const int64_t work = 840 * MICROSECOND;
    for (int32_t count = 2; count < 9; ++count)
        for (int64_t lost = 0; lost < 3 * work; lost += 7 * MICROSECOND) {
            const int64_t took = work / count + lost, waited = lost * (count - 1);
            CHECK(rnnat_crowding_gain(count, took, waited) == work - took);
        }
    CHECK(rnnat_crowding_gain(1, work, 0) < 0); /* nobody came */
    CHECK(rnnat_crowding_gain(2, work, 3 * work) < 0); /* clocks that differ a little */
    CHECK(rnnat_crowding_gain(8, 0, 0) == 0);
}

/* How long it rests from now on. */
static int64_t rest_of(const rnnat_crowding *c, int64_t now)
{
    int64_t length = 0;
    while (rnnat_crowding_rests(c, now + length)) length += 10 * MICROSECOND;
    return length;
}

/* Three calls to which nobody comes, and not two of them, begin a rest. */
static void test_nobody(void)
{
    const int64_t took = 600 * MICROSECOND;
    rnnat_crowding c = {0};
    int64_t now = 1000;
    for (int i = 0; i < 3; ++i) {
        CHECK(!rnnat_crowding_rests(&c, now));
        rnnat_crowding_note(&c, rnnat_crowding_gain(1, took, 0), took, now += took);
    }
    const int64_t rest = rest_of(&c, now);
    CHECK(rest > 10 * took && rest < 50 * took);
    now += rest;
    for (int i = 0; i < 50; ++i) { /* one that has gained makes up for some */
        rnnat_crowding_note(&c, rnnat_crowding_gain(i % 3 == 2 ? 2 : 1, took, 0), took, now);
        CHECK(!rnnat_crowding_rests(&c, now));
    }
}

/* Calls are divided where that gains more than it loses now and then, and not where it loses more. */
static void test_balance(void)
{
    const int64_t alone = 40 * MICROSECOND, stood = 3 * MILLISECOND;
    for (int calls = 10; calls < 1000; calls *= 3) { /* for each that stands still */
        rnnat_crowding c = {0};
        int64_t now = 0, rested = 0;
        for (int round = 0; round < 100; ++round) {
            for (int i = 0; i <= calls; ++i) {
                const int64_t lost = i == calls ? stood : 0, took = alone / 2 + lost;
                rnnat_crowding_note(&c, rnnat_crowding_gain(2, took, lost), took, now += took);
                const int64_t rest = rest_of(&c, now);
                rested += rest;
                now += rest;
            }
        }
        const bool pays = calls * (alone / 2) > stood;
        CHECK(pays ? rested == 0 : rested > now * 3 / 4);
    }
}

/* Calls of any length rest for a time that fits the clock. */
static void test_long(void)
{
    const int64_t lost[] = {0, 1, 8 * MILLISECOND, 249 * (int64_t)MILLISECOND, INT64_MAX / 8};
    for (int i = 0; i < 5; ++i) {
        rnnat_crowding c = {0};
        const int64_t most = lost[i] < 60 * MILLISECOND ? 250 * MILLISECOND : 4 * lost[i];
        rnnat_crowding_note(&c, -lost[i], 2 * lost[i], 5);
        CHECK(rnnat_crowding_rests(&c, 5) == (lost[i] > 0));
        CHECK(rnnat_crowding_rests(&c, 5 + 3 * lost[i]) == (lost[i] > 0));
        CHECK(!rnnat_crowding_rests(&c, 5 + most));
    }
}

int main(void)
{
    test_gain();
    test_nobody();
    test_balance();
    test_long();
    return check_result();
}
#else
int main(void) { return 77; }
#endif

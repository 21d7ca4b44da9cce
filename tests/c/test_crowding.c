/* When a process rests from dividing its calls among threads: of times that are made up, whether a
 * call has gained, how many in vain begin a rest, how long it is and what ends it. */
#include "threads/crowding.h"

#include "check.h"

#if RNNAT_TEAM

enum { MICROSECOND = 1000, MILLISECOND = 1000000 };

static void test_gain(void)
{
    CHECK(!rnnat_crowding_gained(1, 100, 0)); /* nobody came */
    for (int32_t count = 2; count < 9; ++count) {
        CHECK(rnnat_crowding_gained(count, 100, 0));
        /* Threads that share `work` evenly, while one of them has no processor for `lost`. */
        for (int64_t lost = 0; lost < 2000; lost += 7) {
            const int64_t work = 1000, took = work / count + lost, waited = lost * (count - 1);
            const bool gained = rnnat_crowding_gained(count, took, waited);
            if (took < work - count) CHECK(gained);
            if (took > work) CHECK(!gained);
        }
    }
}

static void test_rest(void)
{
    const int64_t took = 100 * MICROSECOND;
    rnnat_crowding c = {0};
    int64_t now = 1000;
    CHECK(!rnnat_crowding_rests(&c, now));
    for (int i = 0; i < 20; ++i) { /* never three in a row */
        rnnat_crowding_note(&c, i % 3 == 2, took, now += took);
        CHECK(!rnnat_crowding_rests(&c, now));
    }
    rnnat_crowding_note(&c, true, took, now);
    int64_t before = 0;
    for (int rest = 0; rest < 12; ++rest) {
        for (int i = 0; i < 3; ++i) {
            CHECK(!rnnat_crowding_rests(&c, now));
            rnnat_crowding_note(&c, false, took, now);
        }
        int64_t most = now;
        while (rnnat_crowding_rests(&c, most)) most += 50 * MICROSECOND;
        const int64_t length = most - now;
        CHECK(length >= 32 * took && length <= 251 * MILLISECOND);
        CHECK(length == 2 * before || rest == 0 || length >= 250 * MILLISECOND);
        before = length;
        now = most;
    }
    rnnat_crowding_note(&c, true, took, now); /* begins anew */
    for (int i = 0; i < 3; ++i) rnnat_crowding_note(&c, false, took, now);
    CHECK(rnnat_crowding_rests(&c, now + 31 * took) && !rnnat_crowding_rests(&c, now + 33 * took));
}

/* Calls of any length rest for a time that fits the clock. */
static void test_long(void)
{
    const int64_t lengths[] = {0, 1, 8 * MILLISECOND, 249 * (int64_t)MILLISECOND, INT64_MAX / 2};
    for (int i = 0; i < 5; ++i) {
        rnnat_crowding c = {0};
        for (int k = 0; k < 3; ++k) rnnat_crowding_note(&c, false, lengths[i], 5);
        CHECK(rnnat_crowding_rests(&c, 5) == (lengths[i] > 0));
        CHECK(!rnnat_crowding_rests(&c, 5 + 250 * (int64_t)MILLISECOND));
    }
}

int main(void)
{
    test_gain();
    test_rest();
    test_long();
    return check_result();
}
#else
int main(void) { return 77; }
#endif

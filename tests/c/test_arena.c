/* What an arena counts never wraps round: what does not fit is an overflow, and stays one. */
#include "arena.h"
#include "check.h"

static const size_t limit = SIZE_MAX / 4;

/* Of an arena with `left` bytes to the limit: whether it takes `count` elements of `size` bytes. */
static bool takes(size_t left, size_t count, size_t size)
{
    rnnat_arena arena = {.used = limit - left};
    rnnat_arena_take(&arena, count, size);
    CHECK(arena.overflow || (arena.used >= limit - left && arena.used <= limit));
    const bool taken = !arena.overflow;
    rnnat_arena_take(&arena, 0, 1);
    CHECK(taken || arena.overflow);
    return taken;
}

int main(void)
{
    CHECK(takes(limit, limit - RNNAT_ALIGN, 1));
    CHECK(takes(limit, 1, limit - RNNAT_ALIGN));
    CHECK(!takes(limit, limit, 1));
    CHECK(!takes(limit, SIZE_MAX, SIZE_MAX));
    /* Near the limit, and with less than an alignment left. */
    for (size_t left = 0; left < 3 * RNNAT_ALIGN; ++left) {
        for (size_t size = 1; size <= 2 * RNNAT_ALIGN; ++size)
            CHECK(takes(left, 1, size) == (size + RNNAT_ALIGN <= left));
        CHECK(!takes(left, limit, 1));
        CHECK(!takes(left, 1, SIZE_MAX));
        CHECK(!takes(left, SIZE_MAX / 2 + 1, 2));
        CHECK(!takes(left, SIZE_MAX, 1));
    }
    /* The second of two would fit only where its bytes or the room that is left wrap. */
    rnnat_arena arena = {.base = NULL};
    rnnat_arena_take(&arena, limit / RNNAT_ALIGN * RNNAT_ALIGN - RNNAT_ALIGN, 1);
    CHECK(!arena.overflow);
    rnnat_arena_take(&arena, limit * 3, 1);
    CHECK(arena.overflow);
    /* A table of more elements than can be counted, unless they have no size. */
    const size_t side = (size_t)1 << sizeof(size_t) * 4;
    rnnat_arena table = {.base = NULL};
    rnnat_arena_take_table(&table, side, side, 0);
    CHECK(!table.overflow && table.used == 0);
    rnnat_arena_take_table(&table, 3, 64, 4);
    CHECK(!table.overflow && table.used == (size_t)3 * 64 * 4);
    rnnat_arena_take_table(&table, side, side, 4);
    CHECK(table.overflow);
    return check_result();
}

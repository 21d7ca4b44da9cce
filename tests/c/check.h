/* A test program is a main that CHECKs and returns check_result(). */
#ifndef RNNAT_TEST_CHECK_H
#define RNNAT_TEST_CHECK_H

#include <stdbool.h>
#include <stdio.h>

/* Fewer cases of each kind: under an emulator, or a sanitizer that has little to find here. */
#ifndef RNNAT_TEST_BRIEF
#define RNNAT_TEST_BRIEF 0
#endif
/* GCC's address sanitizer makes programs take four times as long: of what is drawn, of places to
 * stop at, and of what is repeated because threads may meet in another order, the plain build has
 * more. */
#ifdef __SANITIZE_ADDRESS__
enum { is_brief = RNNAT_TEST_BRIEF, is_sanitized = 1 };
#else
enum { is_brief = RNNAT_TEST_BRIEF, is_sanitized = 0 };
#endif

static int check_count;
static int check_failures;

static inline bool check_that(bool holds, const char *what, const char *label, const char *file,
                              int line)
{
    ++check_count;
    if (!holds && ++check_failures <= 50) {
        fprintf(stderr, "%s:%d: failed: %s%s%s\n", file, line, what, *label ? "  with: " : "",
                label);
    }
    return holds;
}

/* Both are true where the condition holds; the label says which row of a table it was. */
#define CHECK(condition) check_that((condition), #condition, "", __FILE__, __LINE__)
#define CHECK_CASE(condition, label)                                                               \
    check_that((condition), #condition, (label), __FILE__, __LINE__)

static inline int check_result(void)
{
    printf("%d passed, %d failed\n", check_count - check_failures, check_failures);
    return check_failures == 0 && check_count > 0 ? 0 : 1;
}

#endif

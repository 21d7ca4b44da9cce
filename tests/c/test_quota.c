/* The CPU quota of a process as files of Linux tell it, read from folders that stand for the system's:
 * both versions of cgroups, nested ones, containers' mounts, and files that are missing or strange. */
#include "threads/quota.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"

#if RNNAT_QUOTA
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64];

/* Writes a file below the root, and the folders that it is in. */
static void put(const char *path, const char *content)
{
    char whole[1024];
    snprintf(whole, sizeof whole, "%s%s", root, path);
    for (char *at = whole + strlen(root) + 1; (at = strchr(at, '/')); *at++ = '/') {
        *at = '\0';
        if (mkdir(whole, 0700) != 0 && errno != EEXIST) abort();
    }
    FILE *const file = fopen(whole, "w");
    if (!file || fputs(content, file) < 0 || fclose(file) != 0) abort();
}

static void begin(void)
{
    strcpy(root, "/tmp/rnnat_quota_XXXXXX");
    if (!mkdtemp(root)) abort();
}

/* What it says; then the root is empty again. */
static int32_t end(void)
{
    char command[128];
    const int32_t processors = rnnat_quota_processors(root);
    snprintf(command, sizeof command, "rm -r %s", root);
    if (system(command) != 0) abort();
    return processors;
}

#define V2 "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
#define V1 "33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
#define OTHERS                                                                                     \
    "22 1 0:20 / / rw - overlay overlay rw,lowerdir=/a:/b\n"                                       \
    "24 22 0:22 / /proc rw - proc proc rw\n"                                                       \
    "32 31 0:29 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"

static int32_t quota_v2(const char *cpu_max)
{
    begin();
    put("/proc/self/mountinfo", OTHERS V2);
    put("/proc/self/cgroup", "0::/a.slice/b.scope\n");
    put("/sys/fs/cgroup/a.slice/b.scope/cpu.max", cpu_max);
    return end();
}

static void test_rounding(void)
{
    CHECK(quota_v2("200000 100000\n") == 2);
    CHECK(quota_v2("299999 100000\n") == 2);
    CHECK(quota_v2("300000 100000\n") == 3);
    CHECK(quota_v2("100000 100000\n") == 1);
    CHECK(quota_v2("5000 100000\n") == 1);
    CHECK(quota_v2("800000 200000") == 4); /* no end of the line */
    CHECK(quota_v2("999999999999999 1\n") == INT32_MAX);
}

static void test_strange(void)
{
    CHECK(quota_v2("max 100000\n") == 0);
    CHECK(quota_v2("") == 0);
    CHECK(quota_v2("\n200000 100000\n") == 0);
    CHECK(quota_v2("200000\n") == 0);
    CHECK(quota_v2("200000 0\n") == 0);
    CHECK(quota_v2("0 100000\n") == 0);
    CHECK(quota_v2("-200000 100000\n") == 0);
    CHECK(quota_v2("2e5 100000\n") == 0);
    CHECK(quota_v2("9999999999999999999999 100000\n") == 0);
    begin(); /* nothing at all */
    CHECK(end() == 0);
    begin();
    put("/proc/self/mountinfo", OTHERS V2);
    put("/sys/fs/cgroup/cpu.max", "200000 100000\n"); /* no word of whose it is */
    CHECK(end() == 2);
    begin();
    put("/proc/self/mountinfo", "30 23\n\n30 23 0:26 / /x rw -\n - cgroup2\ncgroup2 - - - -\n");
    put("/proc/self/cgroup", "0::/a\n:\n\n");
    CHECK(end() == 0);
    begin(); /* a folder where a file should be */
    put("/proc/self/mountinfo", V2);
    put("/proc/self/cgroup", "0::/a\n");
    put("/sys/fs/cgroup/a/cpu.max/x", "");
    CHECK(end() == 0);
}

/* What is longer than a path is left out, and what comes behind it is not. */
static void test_long(void)
{
    enum { most = 3000 };
    char lines[2 * most], name[most];
    memset(name, 'x', most - 1);
    name[most - 1] = '\0';
    begin();
    snprintf(lines, sizeof lines, "31 23 0:26 / /%s rw - cgroup2 cgroup2 rw\n%s", name, V2);
    put("/proc/self/mountinfo", lines);
    snprintf(lines, sizeof lines, "0::/%s\n0::/a\n", name);
    put("/proc/self/cgroup", lines);
    put("/sys/fs/cgroup/a/cpu.max", "300000 100000\n");
    CHECK(end() == 3);
    begin(); /* a path of its own length, and one with a file's name behind it */
    for (size_t size = 950; size < 1100; ++size) {
        put("/proc/self/mountinfo", V2);
        snprintf(lines, sizeof lines, "0::/%.*s\n", (int)size, name);
        put("/proc/self/cgroup", lines);
        CHECK(rnnat_quota_processors(root) == 0);
    }
    CHECK(end() == 0);
}

static void test_nested(void)
{
    begin();
    put("/proc/self/mountinfo", OTHERS V2);
    put("/proc/self/cgroup", "0::/a/b/c\n");
    put("/sys/fs/cgroup/a/cpu.max", "400000 100000\n");
    put("/sys/fs/cgroup/a/b/cpu.max", "150000 50000\n");
    put("/sys/fs/cgroup/a/b/c/cpu.max", "max 100000\n");
    CHECK(end() == 3);
    begin(); /* a level without the controller */
    put("/proc/self/mountinfo", OTHERS V2);
    put("/proc/self/cgroup", "0::/a/b/c\n");
    put("/sys/fs/cgroup/a/cpu.max", "200000 100000\n");
    put("/sys/fs/cgroup/a/b/c/x", "");
    put("/sys/fs/cgroup/other/cpu.max", "100000 100000\n");
    CHECK(end() == 2);
    begin(); /* its namespace's top, where the least quota is */
    put("/proc/self/mountinfo", OTHERS V2);
    put("/proc/self/cgroup", "0::/\n");
    put("/sys/fs/cgroup/cpu.max", "200000 100000\n");
    CHECK(end() == 2);
}

static void test_version_1(void)
{
    const char *const groups = "12:cpuset:/x\n4:cpuacct,cpu:/docker/1f\n1:name=systemd:/y\n0::/z\n";
    begin();
    put("/proc/self/mountinfo", OTHERS V1);
    put("/proc/self/cgroup", groups);
    put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
    put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
    put("/sys/fs/cgroup/cpu,cpuacct/docker/cpu.cfs_quota_us", "600000\n");
    put("/sys/fs/cgroup/cpu,cpuacct/docker/cpu.cfs_period_us", "100000\n");
    put("/sys/fs/cgroup/cpu,cpuacct/docker/1f/cpu.cfs_quota_us", "125000\n");
    put("/sys/fs/cgroup/cpu,cpuacct/docker/1f/cpu.cfs_period_us", "25000\n");
    CHECK(end() == 5);
    begin(); /* a period alone, a quota alone */
    put("/proc/self/mountinfo", OTHERS V1);
    put("/proc/self/cgroup", groups);
    put("/sys/fs/cgroup/cpu,cpuacct/docker/cpu.cfs_period_us", "100000\n");
    put("/sys/fs/cgroup/cpu,cpuacct/docker/1f/cpu.cfs_quota_us", "100000\n");
    CHECK(end() == 0);
    begin(); /* both versions: the least holds */
    put("/proc/self/mountinfo", V2 V1);
    put("/proc/self/cgroup", "4:cpu:/a\n0::/a\n");
    put("/sys/fs/cgroup/a/cpu.max", "200000 100000\n");
    put("/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "300000\n");
    put("/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "100000\n");
    CHECK(end() == 2);
}

/* A container sees its own cgroup as the mount's top, under its name outside or under none. */
static void test_mounts(void)
{
    const char *const mounted = "33 31 0:30 /docker/1f /cg rw - cgroup2 cgroup2 rw\n";
    static const struct {
        const char *group;
        int32_t processors;
    } cases[] = {{"0::/docker/1f\n", 4},
                 {"0::/docker/1f/inner\n", 2},
                 {"0::/docker/1fa/inner\n", 4},
                 {"0::/docker\n", 4},
                 {"0::/\n", 4},
                 {"0::/../inner\n", 4}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; ++i) {
        begin();
        put("/proc/self/mountinfo", mounted);
        put("/proc/self/cgroup", cases[i].group);
        put("/cg/cpu.max", "400000 100000\n");
        put("/cg/inner/cpu.max", "200000 100000\n");
        put("/cg/docker/cpu.max", "100000 100000\n");
        CHECK(end() == cases[i].processors);
    }
    begin(); /* a name with a space, written as \040, is not looked for */
    put("/proc/self/mountinfo", "33 31 0:30 / /c\\040g rw - cgroup2 cgroup2 rw\n");
    put("/proc/self/cgroup", "0::/\n");
    put("/c\\040g/cpu.max", "200000 100000\n");
    CHECK(end() == 0);
    begin(); /* optional fields, or none */
    put("/proc/self/mountinfo", "33 31 0:30 / /cg rw a:1 b:2 - cgroup2 cgroup2 rw\n");
    put("/proc/self/cgroup", "0::/\n");
    put("/cg/cpu.max", "200000 100000\n");
    CHECK(end() == 2);
}

int main(void)
{
    test_rounding();
    test_strange();
    test_long();
    test_nested();
    test_version_1();
    test_mounts();
    CHECK(rnnat_quota_processors("") >= 0); /* this system's own */
    CHECK(rnnat_quota_processors("/no such folder") == 0);
    return check_result();
}
#else
int main(void) { return 77; }
#endif

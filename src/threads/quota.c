/* The CPU quota of this process, from the files of Linux that tell of its cgroups, versions 1 and 2.
 *
 * /proc/self/mountinfo says where cgroups are mounted, and which of them is on top there; /proc/self/cgroup
 * says which one is the process's. Each folder from that up to the mount may have a quota: so many
 * microseconds of all processors together in a period of so many. The least one holds. It is rounded down,
 * for a process that has used up its quota is stopped until the period ends, the caller of a short call
 * with it: what is left of a processor is for the threads of others. */
#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE /* O_CLOEXEC */
#endif

#include "quota.h"

#if RNNAT_QUOTA
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

#include "../text.h"

/* ---- texts: lines and paths ---- */

/* What is longer is not understood. */
enum { quota_room = 1024 };

typedef struct quota_text {
    size_t size; /* of its characters, before the NUL; `room` where there were too many */
    char at[quota_room];
} quota_text;

static bool text_is_cut(const quota_text *t) { return t->size == quota_room; }

static void append_text(quota_text *t, const char *more, size_t size)
{
    for (size_t i = 0; i < size && !text_is_cut(t); ++i) t->at[t->size++] = more[i];
    t->at[text_is_cut(t) ? quota_room - 1 : t->size] = '\0';
}

/* Part of a text. */
typedef struct quota_word {
    const char *at;
    size_t size;
} quota_word;

/* Takes the word before the next separator, and moves on behind that. */
static quota_word next_word(const char **rest, char separator)
{
    quota_word w = {*rest, 0};
    while (w.at[w.size] && w.at[w.size] != separator) ++w.size;
    *rest = w.at + w.size + (w.at[w.size] != '\0');
    return w;
}

static bool word_is(quota_word w, const char *known) { return rnnat_text_is(w.at, w.size, known); }

/* Whether "cpu" is in a list with commas. */
static bool lists_cpu(quota_word list)
{
    for (size_t i = 0; i < list.size;) {
        const size_t size = rnnat_text_find(list.at + i, list.size - i, ',');
        if (word_is((quota_word){list.at + i, size}, "cpu")) return true;
        i += size + 1;
    }
    return false;
}

/* A decimal number; 0 where it is none. */
static int64_t number_of_word(quota_word w)
{
    enum { most_digits = 15 };
    int64_t number = 0;
    for (size_t i = 0; i < w.size; ++i) {
        if (w.at[i] < '0' || w.at[i] > '9' || i == most_digits) return 0;
        number = number * 10 + (w.at[i] - '0');
    }
    return number;
}

/* ---- files ---- */

typedef struct quota_reader {
    int file;
    size_t at, size;
    char bytes[256];
} quota_reader;

static bool open_quota_file(quota_reader *r, const char *folder, const char *name)
{
    quota_text path = {0};
    append_text(&path, folder, rnnat_text_size(folder));
    append_text(&path, name, rnnat_text_size(name));
    r->file = text_is_cut(&path) ? -1 : open(path.at, O_RDONLY | O_CLOEXEC);
    r->at = r->size = 0;
    return r->file >= 0;
}

/* The next line that is not cut, without its end; false where there is none. */
static bool next_quota_line(quota_reader *r, quota_text *line)
{
    line->size = 0;
    for (;;) {
        if (r->at == r->size) {
            const ssize_t got = read(r->file, r->bytes, sizeof r->bytes);
            if (got <= 0) return line->size > 0 && !text_is_cut(line);
            r->at = 0;
            r->size = (size_t)got;
        }
        const size_t size = rnnat_text_find(r->bytes + r->at, r->size - r->at, '\n');
        append_text(line, r->bytes + r->at, size);
        r->at += size;
        if (r->at == r->size) continue;
        ++r->at; /* the line's end */
        if (!text_is_cut(line)) return true;
        line->size = 0;
    }
}

/* The numbers that a file begins with; 0 for each that is not there. */
static void read_quota_numbers(const quota_text *folder, const char *name, int64_t *first,
                               int64_t *second)
{
    quota_reader file;
    quota_text line;
    *first = *second = 0;
    if (!open_quota_file(&file, folder->at, name)) return;
    if (next_quota_line(&file, &line)) {
        const char *rest = line.at;
        *first = number_of_word(next_word(&rest, ' '));
        *second = number_of_word(next_word(&rest, ' '));
    }
    close(file.file);
}

/* ---- cgroups ---- */

/* Where cgroups are mounted: those of version 2, or of version 1 with the controller "cpu". */
typedef struct quota_mount {
    bool unified; /* version 2 */
    quota_word top; /* the cgroup that is mounted */
    quota_word folder;
} quota_mount;

/* Of a line "36 25 0:30 /top /folder options [optional ...] - type source options". */
static bool understand_mount(const char *line, quota_mount *m)
{
    for (int i = 0; i < 3; ++i) next_word(&line, ' ');
    m->top = next_word(&line, ' ');
    m->folder = next_word(&line, ' ');
    while (*line && !word_is(next_word(&line, ' '), "-")) {}
    const quota_word type = next_word(&line, ' ');
    next_word(&line, ' ');
    m->unified = word_is(type, "cgroup2");
    const bool is_plain = rnnat_text_find(m->folder.at, m->folder.size, '\\') == m->folder.size;
    return is_plain &&
           (m->unified || (word_is(type, "cgroup") && lists_cpu(next_word(&line, ' '))));
}

/* The way from the mounted cgroup down to the process's, "" where that is not below it. Of lines
 * "4:cpu,cpuacct:/path", with "0::" of version 2. */
static void append_way(const char *root, const quota_mount *m, quota_text *folder)
{
    quota_reader groups;
    quota_text line;
    if (!open_quota_file(&groups, root, "/proc/self/cgroup")) return;
    while (next_quota_line(&groups, &line)) {
        const char *path = line.at;
        next_word(&path, ':');
        const quota_word controllers = next_word(&path, ':');
        if (m->unified ? controllers.size > 0 : !lists_cpu(controllers)) continue;
        const size_t above = word_is(m->top, "/") ? 0 : m->top.size;
        size_t same = 0;
        while (same < above && path[same] == m->top.at[same]) ++same;
        path += same;
        if (same == above && path[0] == '/' && path[1] && !(path[1] == '.' && path[2] == '.'))
            append_text(folder, path, rnnat_text_size(path));
        break;
    }
    close(groups.file);
}

/* Whole processors of one cgroup's quota, 0 where it has none. */
static int64_t quota_of(const quota_text *folder, bool unified)
{
    int64_t quota, period, none;
    if (unified) {
        read_quota_numbers(folder, "/cpu.max", &quota, &period);
    } else {
        read_quota_numbers(folder, "/cpu.cfs_quota_us", &quota, &none);
        read_quota_numbers(folder, "/cpu.cfs_period_us", &period, &none);
    }
    if (quota == 0 || period == 0) return 0;
    return quota < period ? 1 : quota / period;
}

/* The least quota of the process's cgroup and all above it up to the mount. */
static int64_t least_below(const char *root, const quota_mount *m)
{
    quota_text folder = {0};
    append_text(&folder, root, rnnat_text_size(root));
    append_text(&folder, m->folder.at, m->folder.size);
    const size_t top = folder.size;
    append_way(root, m, &folder);
    int64_t least = 0;
    while (!text_is_cut(&folder)) {
        const int64_t quota = quota_of(&folder, m->unified);
        if (quota && (!least || quota < least)) least = quota;
        if (folder.size == top) break;
        while (folder.at[--folder.size] != '/') {}
        folder.at[folder.size] = '\0';
    }
    return least;
}

int32_t rnnat_quota_processors(const char *root)
{
    quota_reader mounts;
    quota_text line;
    int64_t least = 0;
    if (!open_quota_file(&mounts, root, "/proc/self/mountinfo")) return 0;
    while (next_quota_line(&mounts, &line)) {
        quota_mount m;
        if (!understand_mount(line.at, &m)) continue;
        const int64_t quota = least_below(root, &m);
        if (quota && (!least || quota < least)) least = quota;
    }
    close(mounts.file);
    return least < INT32_MAX ? (int32_t)least : INT32_MAX;
}
#endif

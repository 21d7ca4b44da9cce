/* Reads the texts of faults, in buffers of many sizes. */
#include "fault_text.h"

#include <stdio.h>
#include <string.h>

#include "guard.h"

enum { most = 2048 };

/* The functions by number; the last one's number is 2. */
static rnnat_status call(int which, const void *bytes, size_t size, const rnnat_model_options *opt)
{
    static char memory[64];
    rnnat_model *made = NULL;
    size_t need;
    switch (which) {
    case 0: return rnnat_model_size(bytes, size, opt, &need);
    case 1: return rnnat_model_from_memory(bytes, size, opt, &made);
    default: return rnnat_model_init(memory, sizeof memory, bytes, size, opt, &made);
    }
}

bool fault_text_names(const void *bytes, size_t size, const rnnat_model_options *opt,
                      const char *names)
{
    rnnat_model_options options = {.struct_size = sizeof options};
    char whole[most], line[most];
    if (opt) options = *opt;
    for (int which = 0; which < 3; ++which) {
        options.message = line;
        options.message_size = sizeof line;
        memset(line, 'x', sizeof line);
        if (call(which, bytes, size, &options) == RNNAT_OK) return false;
        if (!memchr(line, '\0', sizeof line) || !strstr(line, names) || !strlen(line) ||
            (which > 0 && strcmp(line, whole) != 0)) {
            fprintf(stderr, "function %d: expected %s in the text, got %.200s\n", which, names,
                    line);
            return false;
        }
        strcpy(whole, line);
    }
    const size_t length = strlen(whole);
    for (size_t room = 0; room <= length + 1; room += room < 40 ? 1 : 37) {
        guarded buffer = guard_make(room, room % 7);
        options.message = (char *)buffer.body;
        options.message_size = room;
        (void)call(1, bytes, size, &options);
        const size_t written = room > length ? length : room - (room > 0);
        const bool right = guard_intact(&buffer) && memcmp(buffer.body, whole, written) == 0 &&
                           (room == 0 || buffer.body[written] == '\0');
        guard_end(&buffer);
        if (!right) {
            fprintf(stderr, "%zu bytes: expected so much of %.200s\n", room, whole);
            return false;
        }
    }
    return true;
}

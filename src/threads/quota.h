/* How many processors the cgroups of this process let it keep busy, as containers limit it. */
#ifndef RNNAT_QUOTA_H
#define RNNAT_QUOTA_H

#include <stdint.h>

#include "../config.h"

#if RNNAT_QUOTA
/* Whole processors of the least CPU quota, at least 1; 0 where there is none. What is not there, cannot
 * be read or is not understood limits nothing. `root` stands before the path of every file: "" for
 * those of the system. */
int32_t rnnat_quota_processors(const char *root);
#else
static inline int32_t rnnat_quota_processors(const char *root)
{
    (void)root;
    return 0;
}
#endif

#endif

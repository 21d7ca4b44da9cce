/* Packs and unpacks matrices whose type has groups. */
#ifndef RNNAT_GROUPS_H
#define RNNAT_GROUPS_H

#include "layout.h"

#if RNNAT_READER
void rnnat_pack_groups(const rnnat_matrix *matrix, const rnnat_kernels *kernels,
                       const rnnat_gates *gates, const rnnat_tensor *tensor);
void rnnat_unpack_groups(const rnnat_matrix *matrix, const rnnat_kernels *kernels,
                         const rnnat_gates *gates, float *rows);
#endif

#endif

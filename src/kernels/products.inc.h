/* All that multiplies, for weights that are stored as WEIGHT: a matrix, and one time step of each
 * cell. Part of weights.inc.h, which includes this once for each type of weights. What is made of
 * the sums is the same for all of them: step.inc.h.
 */
#include "product.inc.h"

#include "operands.inc.h"

#if RNNAT_SMALL
#include "small.inc.h"
#else
#include "gemm.inc.h"
#ifdef AMX
#include "amx.inc.h"
#else
#define AMX_STEP(name, GATES, H, H_STRIDE)
#define AMX_ROWS(name)
#endif
#include "blocks.inc.h"
#endif

#undef FIRST_ROW
#undef PREPARE_STEP
#undef STEP_TILES
#undef PREPARE_ROWS

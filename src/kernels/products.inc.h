/* All that multiplies, for weights that are stored as WEIGHT: a matrix, and one time step of each
 * cell. Part of body.inc.h, which includes this once for each type of weights. What is made of the
 * sums is in step.inc.h and step_gate_recurrent.inc.h, and the same for all of them.
 */
#include "product.inc.h"

#if RNNAT_SMALL
#include "small.inc.h"
#else
#include "blocks.inc.h"
#include "blocks_gate_recurrent.inc.h"
#include "gemm.inc.h"
#endif

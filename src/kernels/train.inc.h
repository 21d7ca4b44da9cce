/* All that training multiplies and calculates beside running and the gradients of cells. Part of
 * body.inc.h. */
#include "train_gemm.inc.h"
#include "train_layers.inc.h"

#undef FOR_UNITS
#undef ROW

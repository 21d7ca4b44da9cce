/* All that training multiplies and calculates beside running. Part of body.inc.h. */
#include "train_rows.inc.h"

#include "train_gemm.inc.h"
#include "train_gru.inc.h"
#include "train_layers.inc.h"
#include "train_lstm.inc.h"
#include "train_rnn.inc.h"

#undef FOR_UNITS
#undef ROW

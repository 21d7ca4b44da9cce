/* The gates of all cells. Part of step.inc.h, which includes this once, for what is made of sums;
 * and of blocks.inc.h or small.inc.h, which include it for each type of weights, WEIGHT, for how
 * these sums are made. */
#include "lstm.gates.inc.h" /* before gate_lstm, which has its gates */

#include "gate_gru.gates.inc.h"
#include "gate_lstm.gates.inc.h"
#include "general.gates.inc.h"
#include "gru.gates.inc.h"
#include "rnn.gates.inc.h"

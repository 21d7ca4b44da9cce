/* The lists of all cells and of the kernels of their steps, which are in <cell>.gates.inc.h: a
 * cell's lines here are all that kernels know of it. `parts` are two options of the build that a
 * line needs; 1: none. */
#ifndef RNNAT_CELL_LIST_H
#define RNNAT_CELL_LIST_H

/* X(`cell` in a line, name, parts). Of those of one word a line means the first whose keys and
 * words it has. */
#define RNNAT_CELLS(X)                                                                             \
    X(rnn, rnn, RNNAT_WITH_RNN, 1)                                                                 \
    X(rnn, general_rnn, RNNAT_WITH_RNN, RNNAT_WITH_GENERAL)                                        \
    X(gru, gru, RNNAT_WITH_GRU, 1)                                                                 \
    X(gru, gru_before, RNNAT_WITH_GRU, 1)                                                          \
    X(gru, gate_gru, RNNAT_WITH_GRU, RNNAT_WITH_GATE)                                              \
    X(gru, general_gru, RNNAT_WITH_GRU, RNNAT_WITH_GENERAL)                                        \
    X(gru, general_gru_before, RNNAT_WITH_GRU, RNNAT_WITH_GENERAL)                                 \
    X(lstm, lstm, RNNAT_WITH_LSTM, 1)                                                              \
    X(lstm, gate_lstm, RNNAT_WITH_LSTM, RNNAT_WITH_GATE)                                           \
    X(lstm, general_lstm, RNNAT_WITH_LSTM, RNNAT_WITH_GENERAL)

/* X(E, name, parts): kernels that multiply and make gates of the sums, for each weight type. */
#define RNNAT_PRODUCT_STEPS(X, E)                                                                  \
    X(E, rnn, RNNAT_WITH_RNN, 1)                                                                   \
    X(E, gru, RNNAT_WITH_GRU, 1)                                                                   \
    X(E, gru_gates, RNNAT_WITH_GRU, 1)                                                             \
    X(E, gru_new, RNNAT_WITH_GRU, 1)                                                               \
    X(E, gate_gru_gates, RNNAT_WITH_GRU, RNNAT_WITH_GATE)                                          \
    X(E, gate_gru_new, RNNAT_WITH_GRU, RNNAT_WITH_GATE)                                            \
    X(E, lstm, RNNAT_WITH_LSTM, 1)                                                                 \
    X(E, gate_lstm, RNNAT_WITH_LSTM, RNNAT_WITH_GATE)

/* X(E, name, parts): kernels of cells whose products are in memory (to_memory of cell.h). */
#define RNNAT_MEMORY_STEPS(X, E)                                                                   \
    X(E, general_rnn, RNNAT_WITH_RNN, RNNAT_WITH_GENERAL)                                          \
    X(E, general_gru, RNNAT_WITH_GRU, RNNAT_WITH_GENERAL)                                          \
    X(E, general_gru_gates, RNNAT_WITH_GRU, RNNAT_WITH_GENERAL)                                    \
    X(E, general_gru_new, RNNAT_WITH_GRU, RNNAT_WITH_GENERAL)                                      \
    X(E, general_lstm, RNNAT_WITH_LSTM, RNNAT_WITH_GENERAL)

/* X(E, name): training's, <name>_forward and <name>_backward. */
#define RNNAT_TRAINING_STEPS(X, E)                                                                 \
    X(E, rnn)                                                                                      \
    X(E, gru)                                                                                      \
    X(E, gru_gates)                                                                                \
    X(E, gru_new)                                                                                  \
    X(E, gate_gru_new)                                                                             \
    X(E, lstm)

#endif

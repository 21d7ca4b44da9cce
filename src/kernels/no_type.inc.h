/* Behind the kernels of one type of weights: its words are free for the next one. */
#undef STORED
#undef WEIGHT
#undef WFN
#undef LOAD_WEIGHTS
#undef PREPARED
#undef INTEGERS
#undef OFFSET
#undef GROUP
#undef TURNS
#undef OPERAND
#undef FACTOR
#undef WIDE
#undef SUM
#undef SPREAD
#undef MULTIPLY_ADD
#undef PUT
#undef PUT_WIDTH

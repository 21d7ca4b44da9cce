/* A type of weights that multiplies rows of floats as they are, one element at a time. Part of
 * weights.inc.h. */
#define PREPARED 0
#define INTEGERS 0
#define OFFSET 0
#define TURNS GROUP
#define TILES 0
#define OPERAND REAL
#define FACTOR VEC
#define WIDE VEC
#define SUM VEC
#define SPREAD FN(set1)
#define MULTIPLY_ADD FN(fma)

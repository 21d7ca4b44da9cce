/* A naive BLAS with a thread count of its own, to install in the place of a real one. */
#ifndef RNNAT_TEST_FAKE_BLAS_H
#define RNNAT_TEST_FAKE_BLAS_H

#include <stdbool.h>

bool fake_blas_use(void);
/* True where every product so far had sound arguments and ran while the library was held to one
 * thread, there was one, and the count is back at what it was. */
bool fake_blas_is_content(void);

#endif

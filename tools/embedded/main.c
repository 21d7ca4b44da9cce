/* Smooths steps of a square wave by a recurrent network, and prints both. */
#include <stdio.h>

#include "smoother.h"

void app_main(void);

void app_main(void)
{
    rnnat_status status = smoother_begin();
    for (int i = 0; i < 40 && status == RNNAT_OK; ++i) {
        const float x = i / 10 % 2 ? 1.0f : 0.0f;
        float y = 0.0f;
        status = smoother_step(&x, &y);
        printf("%.4f %.4f\n", (double)x, (double)y);
    }
    if (status != RNNAT_OK) printf("%s\n", rnnat_status_name(status));
}

// Smooths what an analog pin reads by a recurrent network, and prints both.
#include <rnn_native.h>

#include "smoother.h"

static rnnat_status status;

void setup()
{
    Serial.begin(115200);
    status = smoother_begin();
    if (status != RNNAT_OK) Serial.println(rnnat_status_name(status));
}

void loop()
{
    if (status != RNNAT_OK) return;
    const float x = static_cast<float>(analogRead(A0)) / 1023.0f;
    float y = 0.0f;
    status = smoother_step(&x, &y);
    Serial.print(x, 4);
    Serial.print(" ");
    Serial.println(y, 4);
    delay(10);
}

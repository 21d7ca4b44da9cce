/* Makes the matrices of a test's model int8, and floats again. */
#include "int8_model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

test_tensor *test_model_scales(const test_model *model, const test_tensor *of)
{
    char name[sizeof of->name + 8];
    snprintf(name, sizeof name, "%s_scale", of->name);
    for (int32_t i = 0; i < model->num_tensors; ++i)
        if (strcmp(model->tensors[i].name, name) == 0) return RNNAT_WRITABLE(&model->tensors[i]);
    return NULL;
}

static void quantise_row(float *row, int32_t columns, float *scale)
{
    float most = 0;
    for (int32_t i = 0; i < columns; ++i) most = fmaxf(most, fabsf(row[i]));
    *scale = most / 128;
    for (int32_t i = 0; i < columns; ++i)
        row[i] = most > 0 ? fminf(rintf(row[i] / *scale), 127) : 0;
}

void test_model_quantise(test_model *model)
{
    const int32_t count = model->num_tensors;
    for (int32_t i = 0; i < count; ++i) {
        test_tensor *const tensor = &model->tensors[i];
        if (tensor->rank != 2) continue;
        if (model->num_tensors == MAX_TENSORS) abort();
        test_tensor *const scales = &model->tensors[model->num_tensors++];
        *scales = (test_tensor){.dtype = "F32", .rank = 1, .dims = {tensor->dims[0], 1}};
        if (strlen(tensor->name) + sizeof "_scale" > sizeof scales->name) abort();
        strcpy(scales->name, tensor->name);
        strcat(scales->name, "_scale");
        scales->values = calloc((size_t)tensor->dims[0], sizeof *scales->values);
        if (!scales->values) abort();
        for (int32_t row = 0; row < tensor->dims[0]; ++row)
            quantise_row(tensor->values + row * tensor->dims[1], tensor->dims[1],
                         &scales->values[row]);
        strcpy(tensor->dtype, "I8");
    }
    strcpy(model->pairs[0].value, "2");
}

void test_model_dequantise(test_model *model)
{
    for (int32_t i = 0; i < model->num_tensors; ++i) {
        test_tensor *const tensor = &model->tensors[i];
        if (strcmp(tensor->dtype, "I8") != 0) continue;
        const test_tensor *const scales = test_model_scales(model, tensor);
        for (int32_t k = 0; k < tensor->dims[0] * tensor->dims[1]; ++k) {
            const double exact =
                (double)tensor->values[k] * (double)scales->values[k / tensor->dims[1]];
            tensor->values[k] = (float)exact;
        }
        strcpy(tensor->dtype, "F32");
    }
    while (strstr(model->tensors[model->num_tensors - 1].name, "_scale"))
        free(model->tensors[--model->num_tensors].values);
}

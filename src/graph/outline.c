/* Reads what a file's __metadata__ says of a model: its entries, and the lines of its layers. */
#include "outline.h"

#include "../text.h"
#include "value_name.h"

#if RNNAT_READER
rnnat_status rnnat_entry_read(const rnnat_builder *build, const char *key, char *text)
{
    if (rnnat_safetensors_metadata(build->file, key, text, RNNAT_ENTRY_SIZE) == RNNAT_OK)
        return RNNAT_OK;
    return RNNAT_SAY(build->message, RNNAT_ERROR_FORMAT, RNNAT_TEXT("__metadata__: expected "),
                     RNNAT_TEXT(key), RNNAT_TEXT(" of less than "), RNNAT_NUMBER(RNNAT_ENTRY_SIZE),
                     RNNAT_TEXT(" characters, found none: is this a file of rnn_native?"));
}

#if RNNAT_WITH_MESSAGES
rnnat_status rnnat_entry_wrong(const rnnat_builder *build, rnnat_status status, const char *key,
                               const char *text, const char *expected)
{
    return RNNAT_SAY(build->message, status, RNNAT_TEXT(key), RNNAT_TEXT(": expected "),
                     RNNAT_TEXT(expected), RNNAT_TEXT(", got \""), RNNAT_TEXT(text),
                     RNNAT_TEXT("\""));
}

rnnat_status rnnat_blame_line(const rnnat_builder *build, rnnat_status status, int32_t index,
                              const char *line)
{
    (void)RNNAT_SAY(build->message, status, RNNAT_TEXT(rnnat_status_meaning(status)));
    return RNNAT_SAY_MORE(build->message, status, RNNAT_TEXT("; rnn_native.layer."),
                          RNNAT_NUMBER(index), RNNAT_TEXT(": \""), RNNAT_TEXT(line),
                          RNNAT_TEXT("\""));
}
#endif

/* An entry that is a number from 1 to as many as entries can be. */
static rnnat_status read_count(const rnnat_builder *build, const char *key, int32_t *count)
{
    char text[RNNAT_ENTRY_SIZE];
    const char *at = text;
    const rnnat_status status = rnnat_entry_read(build, key, text);
    if (status != RNNAT_OK) return status;
    const bool is_number = rnnat_take_number(&at, count) == RNNAT_OK;
    if (is_number && *at == '\0' && *count > 0 && *count <= RNNAT_SAFETENSORS_MAX_ENTRIES)
        return RNNAT_OK;
    return rnnat_entry_wrong(build, RNNAT_ERROR_FORMAT, key, text, "a number from 1 to 2048");
}

rnnat_status rnnat_outline_read(const rnnat_builder *build, rnnat_outline *of)
{
    char text[RNNAT_ENTRY_SIZE];
    static const char version[] = "rnn_native.version";
    if (rnnat_entry_read(build, version, text) != RNNAT_OK) return RNNAT_ERROR_FORMAT;
    const size_t size = rnnat_text_size(text);
    const bool newer = rnnat_text_is(text, size, "2"); /* which a chain may be as well */
    if (!newer && !rnnat_text_is(text, size, "1"))
        return rnnat_entry_wrong(build, RNNAT_ERROR_UNSUPPORTED, version, text, "1 or 2");
    *of = (rnnat_outline){.inputs = 1, .outputs = 1};
    of->is_graph = newer && rnnat_safetensors_metadata(build->file, "rnn_native.inputs", text,
                                                       RNNAT_ENTRY_SIZE) != RNNAT_ERROR_NOT_FOUND;
    rnnat_status status = read_count(build, "rnn_native.layers", &of->layers);
    if (status != RNNAT_OK || !of->is_graph) return status;
    status = read_count(build, "rnn_native.inputs", &of->inputs);
    if (status == RNNAT_OK) status = rnnat_entry_read(build, "rnn_native.outputs", text);
    for (const char *c = text; status == RNNAT_OK && *c; ++c) of->outputs += *c == ',';
    return status;
}

/* What a fault is told to. */
static rnnat_message *message_in(const rnnat_builder *build)
{
#if RNNAT_WITH_MESSAGES
    return build->message;
#else
    (void)build;
    return NULL;
#endif
}

rnnat_status rnnat_outline_layer(const rnnat_builder *build, const rnnat_outline *of, int32_t index,
                                 char *text, const rnnat_layer **layer,
                                 rnnat_layer_options *options, const char **reads)
{
    static const char mark[] = " inputs=";
    const size_t length = sizeof mark - 1;
    char key[32];
    rnnat_text_number(key, "rnn_native.layer.", index);
    if (rnnat_entry_read(build, key, text) != RNNAT_OK) return RNNAT_ERROR_FORMAT;
    *reads = "";
    for (char *c = text; of->is_graph && *c; ++c) {
        size_t same = 0;
        while (same < length && c[same] == mark[same]) ++same;
        if (same < length) continue;
        *reads = c + length;
        *c = '\0';
        if (**reads == '\0')
            return rnnat_entry_wrong(build, RNNAT_ERROR_FORMAT, key, text, "inputs= with values");
        break;
    }
    const rnnat_status status = rnnat_layer_read(text, layer, options, message_in(build));
    return status == RNNAT_OK ? status : rnnat_blame_line(build, status, index, text);
}
#endif

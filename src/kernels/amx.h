/* AMX's tiles: 16 rows of 64 bytes, of which 16 rows of a batch and 16 columns of weights make 16 by 16 sums at
 * once. Part of vec_avx512.h; quads of 8 bits, rows without a sign and weights with one, as vpdpbusd has them.
 *
 * It is assembly, for the compiler keeps no tiles and needs no flags: what is between amx_begin and amx_end
 * alone has any. Outside of them their state is the initial one, so that neither a switch of threads nor a
 * signal saves it. */
#ifndef RNNAT_AMX_H
#define RNNAT_AMX_H

#include <stddef.h>
#include <stdint.h>

enum { amx_rows = 16, amx_quads = 16 }; /* of a tile */

/* Sums of up to 16 rows by up to 4 vectors of columns. */
typedef struct amx_sums {
    _Alignas(64) int32_t of[amx_rows][4][16];
} amx_sums;

/* What such a product multiplies: rows of quads, and columns, row k of which is as many vectors wide. */
typedef struct amx_factors {
    const uint32_t *a; /* the first row, and the bytes to the next one */
    ptrdiff_t a_stride;
    const int8_t *w[4]; /* each vector, and the bytes to its next row */
    ptrdiff_t w_stride;
    const int32_t *first[4]; /* what sums of a vector begin with */
    int32_t quads; /* of a row */
} amx_factors;

/* Shapes the tiles for products of that many rows, 16 at most, and quads. Sums are tiles 0 to 3; 4 and 5 are
 * rows and weights, 6 and 7 those of what is left of a row. */
static inline void amx_begin(int32_t rows, int32_t quads)
{
    struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } shapes = {.palette = 1};
    const uint16_t left = (uint16_t)(quads % amx_quads);
    for (int tile = 0; tile < 6; ++tile) {
        shapes.row_bytes[tile] = 64;
        shapes.rows[tile] = tile < 5 ? (uint8_t)rows : amx_quads;
    }
    if (left) {
        shapes.row_bytes[6] = (uint16_t)(4 * left);
        shapes.rows[6] = (uint8_t)rows;
        shapes.row_bytes[7] = 64;
        shapes.rows[7] = (uint8_t)left;
    }
    __asm__ volatile("ldtilecfg %0" : : "m"(shapes));
}
static inline void amx_end(void) { __asm__ volatile("tilerelease" : : : "memory"); }

#define AMX_LOAD(tile, from, stride)                                                               \
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #tile : : "r"(from), "r"(stride) : "memory")
#define AMX_STORE(tile, to, stride)                                                                \
    __asm__ volatile("tilestored %%tmm" #tile ", (%0,%1,1)" : : "r"(to), "r"(stride) : "memory")
#define AMX_DOT(sums, rows, weights)                                                               \
    __asm__ volatile("tdpbusd %%tmm" #weights ", %%tmm" #rows ", %%tmm" #sums : : : "memory")
#define AMX_EACH(vectors, DO, ...)                                                                 \
    DO(0, __VA_ARGS__);                                                                            \
    if (vectors > 1) DO(1, __VA_ARGS__);                                                           \
    if (vectors > 2) DO(2, __VA_ARGS__);                                                           \
    if (vectors > 3) DO(3, __VA_ARGS__)

/* The sums of as many rows as amx_begin was told of, by 1 to 4 vectors. */
static __attribute__((noinline)) void amx_product(amx_sums *sums, const amx_factors *f,
                                                  int32_t vectors)
{
    const ptrdiff_t same = 0, apart = sizeof sums->of[0];
    const char *a = (const char *)f->a;
    ptrdiff_t at = 0; /* of a vector's rows */
    int32_t left = f->quads;
#define BEGIN(v, unused) AMX_LOAD(v, f->first[v], same)
#define WHOLE(v, unused)                                                                           \
    do {                                                                                           \
        AMX_LOAD(5, f->w[v] + at, f->w_stride);                                                    \
        AMX_DOT(v, 4, 5);                                                                          \
    } while (0)
#define LEFT(v, unused)                                                                            \
    do {                                                                                           \
        AMX_LOAD(7, f->w[v] + at, f->w_stride);                                                    \
        AMX_DOT(v, 6, 7);                                                                          \
    } while (0)
#define END(v, unused) AMX_STORE(v, sums->of[0][v], apart)
    AMX_EACH(vectors, BEGIN, );
    for (; left >= amx_quads; left -= amx_quads) {
        AMX_LOAD(4, a, f->a_stride);
        AMX_EACH(vectors, WHOLE, );
        a += 4 * amx_quads;
        at += amx_quads * f->w_stride;
    }
    if (left) {
        AMX_LOAD(6, a, f->a_stride);
        AMX_EACH(vectors, LEFT, );
    }
    AMX_EACH(vectors, END, );
#undef BEGIN
#undef WHOLE
#undef LEFT
#undef END
}

#undef AMX_LOAD
#undef AMX_STORE
#undef AMX_DOT
#undef AMX_EACH

#endif

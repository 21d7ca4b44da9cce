/* What one or more cores of this machine can do at most: prints lines "peak TYPE GFLOP/s" and
   "read BYTES GB/s" for:  limits THREADS BYTES...
   Each thread works for itself; BYTES are those of all threads together. Best of several goes.
   TYPE is that of the factors: float32, and bfloat16 and int8 where this CPU and this compiler have
   an instruction that adds their products up in 32 bits. AMX's tiles are left out. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#if defined(__AVX512BF16__) || defined(__AVX512VNNI__) || defined(__AVXVNNI__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
enum { VECTOR = 64 };
#elif defined(__AVX__)
enum { VECTOR = 32 };
#else
enum { VECTOR = 16 };
#endif
typedef float floats __attribute__((vector_size(VECTOR)));
typedef int64_t words __attribute__((vector_size(VECTOR)));
enum { GOES = 50, TURNS = 400000 };
enum { CHAINS = 12 }; /* independent sums hide latency; these and the operands fit 16 registers */

#define EACH(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11)

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static volatile float factor = 0.999f, addend = 0.001f; /* not known to the compiler */
static volatile float float_sink;
static volatile int64_t word_sink;

static double multiply_add(long turns)
{
    const floats a = factor - (floats){0}, b = addend - (floats){0};
#define DECLARE(i) floats s##i = b * (float)(i);
#define STEP(i) s##i = s##i * a + b;
#define COLLECT(i) s0 += s##i;
    EACH(DECLARE)
    for (long turn = 0; turn < turns; ++turn) {
        EACH(STEP)
    }
    EACH(COLLECT)
    float_sink = s0[0];
    return 2.0 * CHAINS * (VECTOR / 4) * (double)turns;
}

#if defined(__AVX512BF16__)
static double multiply_add_bfloat16(long turns)
{
    const __m512bh a = _mm512_cvtne2ps_pbh(_mm512_set1_ps(factor), _mm512_set1_ps(factor));
    const __m512bh b = _mm512_cvtne2ps_pbh(_mm512_set1_ps(addend), _mm512_set1_ps(addend));
#define DECLARE_BF16(i) __m512 s##i = _mm512_set1_ps(addend);
#define STEP_BF16(i) s##i = _mm512_dpbf16_ps(s##i, a, b);
    EACH(DECLARE_BF16)
    for (long turn = 0; turn < turns; ++turn) {
        EACH(STEP_BF16)
    }
    EACH(COLLECT)
    float_sink = s0[0];
    return 2.0 * CHAINS * 32 * (double)turns;
}
#endif

#if defined(__AVX512VNNI__) || defined(__AVXVNNI__)
#if defined(__AVX512VNNI__)
typedef __m512i bytes;
#define SET_BYTES(x) _mm512_set1_epi8(x)
#define DOT_BYTES(s, a, b) _mm512_dpbusd_epi32(s, a, b)
#else
typedef __m256i bytes;
#define SET_BYTES(x) _mm256_set1_epi8(x)
#define DOT_BYTES(s, a, b) _mm256_dpbusd_avx_epi32(s, a, b)
#endif
static double multiply_add_int8(long turns)
{
    const bytes a = SET_BYTES((char)(1000 * addend)), b = SET_BYTES((char)(2 * factor));
#define DECLARE_INT8(i) bytes s##i = SET_BYTES(i);
#define STEP_INT8(i) s##i = DOT_BYTES(s##i, a, b);
    EACH(DECLARE_INT8)
    for (long turn = 0; turn < turns; ++turn) {
        EACH(STEP_INT8)
    }
    EACH(COLLECT)
    word_sink = s0[0];
    return 2.0 * CHAINS * sizeof(bytes) * (double)turns;
}
#endif

/* Two loads at a time and as many sums as loads in flight need. */
static double read_all(const words *x, size_t count, long turns)
{
    words s0 = {0}, s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0, s6 = s0, s7 = s0;
    for (long turn = 0; turn < turns; ++turn) {
        for (size_t i = 0; i + 8 <= count; i += 8) {
            s0 ^= x[i], s1 ^= x[i + 1], s2 ^= x[i + 2], s3 ^= x[i + 3];
            s4 ^= x[i + 4], s5 ^= x[i + 5], s6 ^= x[i + 6], s7 ^= x[i + 7];
        }
        __asm__ volatile("" ::: "memory"); /* every turn reads anew */
    }
    s0 ^= s1 ^ s2 ^ s3 ^ s4 ^ s5 ^ s6 ^ s7;
    word_sink = s0[0];
    return (double)(count / 8 * 8 * VECTOR) * (double)turns;
}

static struct {
    pthread_barrier_t barrier;
    double (*arithmetic)(long turns); /* returns the operations; NULL: read */
    size_t count; /* vectors that each thread reads */
    long turns;
    double best; /* of all threads together, a second */
    int threads;
} job;

static void *work(void *other) /* NULL for the thread that keeps the time */
{
    words *x = NULL;
    if (!job.arithmetic) {
        x = aligned_alloc(4096, (job.count * VECTOR + 4095) / 4096 * 4096);
        if (!x) abort();
        for (size_t i = 0; i < job.count; ++i) x[i] = (words){(int64_t)i};
    }
    for (int go = 0; go < GOES; ++go) {
        pthread_barrier_wait(&job.barrier);
        const double start = now();
        const double done = x ? read_all(x, job.count, job.turns) : job.arithmetic(job.turns);
        pthread_barrier_wait(&job.barrier); /* until the slowest is through */
        const double rate = done * job.threads / (now() - start);
        if (!other && rate > job.best) job.best = rate;
    }
    free(x);
    return NULL;
}

static double run(int threads, double (*arithmetic)(long turns), size_t count, long turns)
{
    pthread_t others[64];
    job.arithmetic = arithmetic, job.count = count;
    job.turns = turns, job.best = 0, job.threads = threads;
    if (pthread_barrier_init(&job.barrier, NULL, (unsigned)threads)) abort();
    for (int i = 1; i < threads; ++i)
        if (pthread_create(&others[i], NULL, work, &job)) abort();
    work(NULL);
    for (int i = 1; i < threads; ++i) pthread_join(others[i], NULL);
    pthread_barrier_destroy(&job.barrier);
    return job.best * 1e-9;
}

int main(int argc, char **argv)
{
    const int threads = argc > 1 ? atoi(argv[1]) : 0;
    if (threads < 1 || threads > 64) return fputs("limits THREADS BYTES...\n", stderr), 2;
    printf("peak float32 %.2f\n", run(threads, multiply_add, 0, TURNS));
#if defined(__AVX512BF16__)
    printf("peak bfloat16 %.2f\n", run(threads, multiply_add_bfloat16, 0, TURNS));
#endif
#if defined(__AVX512VNNI__) || defined(__AVXVNNI__)
    printf("peak int8 %.2f\n", run(threads, multiply_add_int8, 0, TURNS));
#endif
    for (int i = 2; i < argc; ++i) {
        const double bytes = atof(argv[i]);
        const size_t count = (size_t)(bytes / threads / VECTOR / 8 + 0.5) * 8;
        if (!count) continue;
        const double each = (double)count * VECTOR;
        const long turns = each > 3e7 ? 1 : (long)(3e7 / each); /* about a millisecond */
        printf("read %.0f %.2f\n", each * threads, run(threads, NULL, count, turns));
    }
    return 0;
}

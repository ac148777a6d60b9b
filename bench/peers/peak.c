/* How fast this core does vector arithmetic: chains of operations that do not wait for each other. */
#include <stdint.h>

#if defined(__AVX512F__)
#define BYTES 64
#elif defined(__AVX2__)
#define BYTES 32
#else
#define BYTES 16
#endif

typedef double vector __attribute__((vector_size(BYTES)));

/* In assembly, or the compiler would be free to do less. */
#if defined(__x86_64__) && defined(__FMA__)
#define FMA(sum) __asm__ volatile("vfmadd231pd %1, %1, %0" : "+v"(sum) : "v"(small))
#elif defined(__aarch64__)
#define FMA(sum) __asm__ volatile("fmla %0.2d, %1.2d, %1.2d" : "+w"(sum) : "w"(small))
#else
#error "no fused multiply-add on this processor"
#endif

/* 13 chains: with the operand they fit in the 16 registers of AVX2, and cover 4 cycles of 2 and more. */
#define CHAINS 13
#define DECLARE vector a = {0}, b = a, c = a, d = a, e = a, f = a, g = a, h = a, i = a, j = a, k = a, l = a, m = a
#define SUM (a + b + c + d + e + f + g + h + i + j + k + l + m)

int peak_lanes(void) { return BYTES / sizeof(double); }

/* Do nothing but fused multiply-adds; returns how many vector operations that were. */
int64_t peak_fma(int64_t rounds, double *out) {
    vector small = (vector){0} + 1e-9;
    DECLARE;
    for (int64_t round = 0; round < rounds; round++) {
        FMA(a); FMA(b); FMA(c); FMA(d); FMA(e); FMA(f); FMA(g);
        FMA(h); FMA(i); FMA(j); FMA(k); FMA(l); FMA(m);
    }
    *out = SUM[0];
    return rounds * CHAINS;
}

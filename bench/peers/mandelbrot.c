/* The same picture by hand in C: a plain loop, and AVX-512 intrinsics with two steps between looks. */
#include <math.h>
#include <stdint.h>

void scalar(const double *xs, const double *ys, int64_t width, int64_t height, int64_t most, double threshold,
            float *out) {
    double limit = threshold * threshold;
    for (int64_t row = 0; row < height; row++)
        for (int64_t col = 0; col < width; col++) {
            double x = 0, y = 0, xx = 0, yy = 0;
            int64_t last = 0;
            for (int64_t i = 0; i < most && xx + yy <= limit; i++) {
                last = i;
                y = 2 * x * y + ys[row];
                x = xx - yy + xs[col];
                xx = x * x;
                yy = y * y;
            }
            out[row * width + col] = (float)((double)last - log2(log2(fmax(sqrt(xx + yy), 0x1p-52) + 1)));
        }
}

#ifdef __AVX512F__
#include <immintrin.h>
#define VECTORS 4
#define EACH for (int v = 0; v < VECTORS; v++)

static __m512 log2_of(__m512 value) {
    __m512 exponent = _mm512_getexp_ps(value);
    __m512 f = _mm512_sub_ps(_mm512_getmant_ps(value, _MM_MANT_NORM_1_2, _MM_MANT_SIGN_src), _mm512_set1_ps(1));
    __mmask16 high = _mm512_cmp_ps_mask(f, _mm512_set1_ps(0.41421356f), _CMP_GT_OQ);
    f = _mm512_mask_sub_ps(f, high, _mm512_mul_ps(f, _mm512_set1_ps(0.5f)), _mm512_set1_ps(0.5f));
    exponent = _mm512_mask_add_ps(exponent, high, exponent, _mm512_set1_ps(1));
    __m512 p = _mm512_set1_ps(0.17162451148f);
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(-0.26932018995f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.29569953680f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(-0.35937163234f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.48062676191f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(-0.72136360407f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(1.44269645214f));
    return _mm512_fmadd_ps(p, f, exponent);
}

static inline void step(__m512d x[], __m512d y[], const __m512d cx[], __m512d cy, const __mmask8 on[]) {
    EACH {
        __m512d rest = _mm512_fnmadd_pd(y[v], y[v], cx[v]), twice = _mm512_add_pd(x[v], x[v]);
        __m512d next = _mm512_fmadd_pd(x[v], x[v], rest);
        y[v] = _mm512_mask_mov_pd(y[v], on[v], _mm512_fmadd_pd(twice, y[v], cy));
        x[v] = _mm512_mask_mov_pd(x[v], on[v], next);
    }
}

static inline __m512d norm(__m512d x, __m512d y) { return _mm512_fmadd_pd(y, y, _mm512_mul_pd(x, x)); }

/* The width is a multiple of 32. */
void intrinsics(const double *xs, const double *ys, int64_t width, int64_t height, int64_t most,
                double threshold, float *out) {
    __m512d limit = _mm512_set1_pd(threshold * threshold);
    for (int64_t row = 0; row < height; row++)
        for (int64_t col = 0; col < width; col += 8 * VECTORS) {
            __m512d x[VECTORS], y[VECTORS], cx[VECTORS], cy = _mm512_set1_pd(ys[row]), count[VECTORS];
            __mmask8 on[VECTORS];
            EACH {
                x[v] = y[v] = count[v] = _mm512_setzero_pd();
                cx[v] = _mm512_loadu_pd(xs + col + 8 * v);
                on[v] = 0xff;
            }
            int64_t n = 0;
            while (n < most) {
                int64_t looks = most - n < 2 ? most - n : 2;
                if (looks == 2) {
                    __m512d old_x[VECTORS], old_y[VECTORS];
                    __mmask8 gone = 0;
                    EACH { old_x[v] = x[v]; old_y[v] = y[v]; }
                    step(x, y, cx, cy, on);
                    step(x, y, cx, cy, on);
                    EACH gone |= _mm512_mask_cmp_pd_mask(on[v], norm(x[v], y[v]), limit, _CMP_NLE_UQ);
                    if (!gone) {
                        EACH count[v] = _mm512_mask_add_pd(count[v], on[v], count[v], _mm512_set1_pd(2));
                        n += 2;
                        continue;
                    }
                    EACH { x[v] = old_x[v]; y[v] = old_y[v]; }
                }
                __mmask8 left = 0;
                for (int64_t look = 0; look < looks; look++, n++) {
                    step(x, y, cx, cy, on);
                    left = 0;
                    EACH {
                        count[v] = _mm512_mask_add_pd(count[v], on[v], count[v], _mm512_set1_pd(1));
                        left |= on[v] = _mm512_mask_cmp_pd_mask(on[v], norm(x[v], y[v]), limit, _CMP_LE_OQ);
                    }
                }
                if (!left)
                    break;
            }
            float *at = out + row * width + col;
            for (int v = 0; v < VECTORS; v += 2) {
                __m512 square = _mm512_insertf32x8(_mm512_castps256_ps512(_mm512_cvtpd_ps(norm(x[v], y[v]))),
                                                   _mm512_cvtpd_ps(norm(x[v + 1], y[v + 1])), 1);
                __m512 last = _mm512_insertf32x8(_mm512_castps256_ps512(_mm512_cvtpd_ps(count[v])),
                                                 _mm512_cvtpd_ps(count[v + 1]), 1);
                __m512 modulus = _mm512_max_ps(_mm512_sqrt_ps(square), _mm512_set1_ps(0x1p-52f));
                __m512 inner = log2_of(_mm512_add_ps(modulus, _mm512_set1_ps(1)));
                inner = _mm512_max_ps(inner, _mm512_set1_ps(0x1p-52f));
                last = _mm512_sub_ps(last, _mm512_set1_ps(1));
                _mm512_storeu_ps(at + 8 * v, _mm512_sub_ps(last, log2_of(inner)));
            }
        }
}
#endif

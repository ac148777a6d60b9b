/* The loop of ISPC's own Mandelbrot example (examples/cpu/mandelbrot in ispc/ispc), written anew for the
   points, the threshold and the precision of this picture: one look before each update, and the update
   unmasked, for what a pixel becomes after its escape is of no interest. The answer is the last index that
   found |z| within the threshold. */

#define DEFINE(NAME, REAL, TWO)                                                                               \
    export void NAME(const uniform double xs[], const uniform double ys[], uniform int64 width,              \
                     uniform int64 height, uniform int64 most, uniform double threshold,                     \
                     uniform int32 answers[]) {                                                                \
        uniform REAL limit = (uniform REAL)(threshold * threshold);                                          \
        uniform int looks = (uniform int)most - 1;                                                           \
        for (uniform int row = 0; row < (uniform int)height; row++) {                                        \
            uniform REAL c_im = (uniform REAL)ys[row];                                                       \
            uniform int32 *uniform out = answers + row * (uniform int)width;                                  \
            foreach (col = 0 ... (uniform int)width) {                                                       \
                REAL c_re = (REAL)xs[col];                                                                   \
                REAL z_re = c_re, z_im = c_im;                                                               \
                int32 look;                                                                                  \
                for (look = 0; look < looks; look++) {                                                       \
                    if (z_re * z_re + z_im * z_im > limit)                                                   \
                        break;                                                                               \
                    REAL next_re = z_re * z_re - z_im * z_im;                                                \
                    REAL next_im = TWO * z_re * z_im;                                                        \
                    unmasked {                                                                               \
                        z_re = c_re + next_re;                                                               \
                        z_im = c_im + next_im;                                                               \
                    }                                                                                        \
                }                                                                                            \
                out[col] = look;                                                                             \
            }                                                                                                \
        }                                                                                                    \
    }

DEFINE(counts, double, 2.0d)
DEFINE(preview_counts, float, 2.0f)

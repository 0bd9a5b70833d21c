// What the kernels of upfirdn2d are told.
#pragma once

#include "common.h"

namespace stitchedit {

struct Upfirdn {
    const void* x;
    const float* f;  // [fh, fw], contiguous
    void* y;
    long long x_stride[4];  // elements, of N C H W
    long long y_stride[4];
    double gain;
    int type, n, c, in_h, in_w, out_h, out_w;
    int fw, fh, up_x, up_y, down_x, down_y, pad_x, pad_y;
    int flip;  // 0: convolution, 1: correlation
    int channels_last;
};

// Tap k of an axis in the order in which taps meet samples.
__device__ __forceinline__ float tap(const Upfirdn& p, int ky, int kx) {
    return p.f[(p.flip ? ky : p.fh - 1 - ky) * p.fw + (p.flip ? kx : p.fw - 1 - kx)];
}

}  // namespace stitchedit

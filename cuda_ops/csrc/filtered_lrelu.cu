// Enlarge, leaky ReLU, clamp, shrink, without ever storing the enlarged picture; its first and its second gradient.
//
// A block makes a tile of the output: it fetches the samples under the tile, enlarges them along x and along y, activates
// them, and shrinks them, all in shared memory. A gradient does the same with two pictures: x, enlarged again, tells the
// activation's slopes, and the gradient that comes in is resampled on both sides of them.
//
// The work is cut into steps, between which the threads of a block wait for each other. All tensors are contiguous.

#include "common.h"

namespace stitchedit {

// One resampling. Sizes, factors and padding in x and y.
struct Pass {
    const float* f;  // [fh, fw], or [fw] to be run along x and then along y where fh is 0
    double gain;
    int fw, fh, factor_x, factor_y, pad_x, pad_y;
    int flip;  // 0: convolution, 1: correlation
    int unused;
};

struct FilteredLrelu {
    const void* x;  // [n, c, in_h, in_w]
    const void* b;  // [c] or null
    const void* s;  // a gradient, [n, c, s_h, s_w]; null: x itself is what is resampled
    void* y;        // [n, c, out_h, out_w]
    Pass x_up, s_up, out;
    double slope, gain, clamp;  // clamp: negative for none
    int type, n, c, in_h, in_w, s_h, s_w, mid_h, mid_w, out_h, out_w;
    int tile_w, tile_h;  // of the output; set by `fit`
};

// A rectangle of samples in shared memory, of which the first is (x, y) of its picture.
struct Area {
    int x, y, w, h;
    __host__ __device__ int size() const { return w * h; }
};

__host__ __device__ inline int floor_div(int a, int b) { return a / b - (a % b != 0 && (a < 0) != (b < 0)); }

__host__ __device__ inline int taps_x(const Pass& p) { return p.fw; }
__host__ __device__ inline int taps_y(const Pass& p) { return p.fh ? p.fh : p.fw; }

// What of the enlarged picture lies under a tile of the output.
__host__ __device__ inline Area under_tile(const FilteredLrelu& p, int ox, int oy) {
    return {ox * p.out.factor_x - p.out.pad_x, oy * p.out.factor_y - p.out.pad_y,
            (p.tile_w - 1) * p.out.factor_x + taps_x(p.out), (p.tile_h - 1) * p.out.factor_y + taps_y(p.out)};
}

// What of the picture before it lies under that.
__host__ __device__ inline Area under_mid(const Pass& up, const Area& mid) {
    return {floor_div(mid.x - up.pad_x, up.factor_x), floor_div(mid.y - up.pad_y, up.factor_y),
            (mid.w + taps_x(up) - 2) / up.factor_x + 2, (mid.h + taps_y(up) - 2) / up.factor_y + 2};
}

__host__ __device__ inline int larger(int a, int b) { return a > b ? a : b; }

// Elements of shared memory: samples fetched, those enlarged along x (the two are later overwritten by what is shrunk
// along x), and those enlarged.
struct Plan {
    int fetched, rows, mid;
    __host__ __device__ int total() const { return fetched + rows + mid; }
};

__host__ __device__ inline Plan plan_of(const FilteredLrelu& p) {
    const Area mid = under_tile(p, 0, 0), x = under_mid(p.x_up, mid), s = under_mid(p.s_up, mid);
    Plan plan = {larger(x.size(), p.s ? s.size() : 0), larger(x.h, p.s ? s.h : 0) * mid.w, mid.size()};
    const int shrunk = mid.h * p.tile_w;
    plan.fetched = larger(plan.fetched, shrunk - plan.rows);
    return plan;
}

__device__ __forceinline__ float tap(const Pass& p, int ky, int kx) {
    return p.f[(p.flip ? ky : taps_y(p) - 1 - ky) * p.fw + (p.flip ? kx : p.fw - 1 - kx)];
}

__device__ __forceinline__ float tap(const Pass& p, int k) { return p.f[p.flip ? k : p.fw - 1 - k]; }

__device__ __forceinline__ int ahead(int a, int up) {  // from a to the next multiple of up
    const int r = a % up;
    return r > 0 ? up - r : -r;
}

template <class T>
struct FilteredLreluSteps {
    using W = typename Wide<T>::type;
    static constexpr int kSteps = 8, kThreads = 256, kBlocks = 1;

    __device__ static void fetch(W* to, const Area& area, const T* from, int h, int w, W bias) {
        for (int i = threadIdx.x; i < area.size(); i += blockDim.x) {
            const int y = area.y + i / area.w, x = area.x + i % area.w;
            to[i] = y >= 0 && y < h && x >= 0 && x < w ? W(from[(long long)y * w + x]) + bias : W(0);
        }
    }

    __device__ static void enlarge_x(W* rows, const W* fetched, const Pass& up, const Area& in, const Area& mid) {
        for (int i = threadIdx.x; i < in.h * mid.w; i += blockDim.x) {
            const int at = mid.x + i % mid.w - up.pad_x, k0 = ahead(at, up.factor_x);
            const W* from = fetched + (i / mid.w) * in.w + (at + k0) / up.factor_x - in.x;
            W sum = 0;
            for (int k = k0; k < up.fw; k += up.factor_x) sum += W(tap(up, k)) * *from++;
            rows[i] = sum;
        }
    }

    // The enlarged picture at column i % mid.w, row i / mid.w of its area.
    __device__ static W enlarged(const W* rows, const W* fetched, const Pass& up, const Area& in, const Area& mid, int i) {
        const int at_y = mid.y + i / mid.w - up.pad_y, ky0 = ahead(at_y, up.factor_y);
        const int row = (at_y + ky0) / up.factor_y - in.y;
        W sum = 0;
        if (!up.fh) {
            const W* from = rows + row * mid.w + i % mid.w;
            for (int k = ky0; k < up.fw; k += up.factor_y, from += mid.w) sum += W(tap(up, k)) * *from;
        } else {
            const int at_x = mid.x + i % mid.w - up.pad_x, kx0 = ahead(at_x, up.factor_x);
            const W* line = fetched + row * in.w + (at_x + kx0) / up.factor_x - in.x;
            for (int ky = ky0; ky < up.fh; ky += up.factor_y, line += in.w)
                for (int kx = kx0, j = 0; kx < up.fw; kx += up.factor_x, j++) sum += W(tap(up, ky, kx)) * line[j];
        }
        return sum * W(up.gain);
    }

    __device__ static W activated(const FilteredLrelu& p, W v) {
        v *= v > 0 ? W(p.gain) : W(p.gain * p.slope);
        const W clamp = W(p.clamp);
        return clamp < 0 ? v : (v > clamp ? clamp : (v < -clamp ? -clamp : v));
    }

    __device__ static W slope(const FilteredLrelu& p, W v) {
        const W factor = v > 0 ? W(p.gain) : W(p.gain * p.slope), y = v * factor;
        return p.clamp >= 0 && (y >= W(p.clamp) || y <= -W(p.clamp)) ? W(0) : factor;
    }

    __device__ static void shrink_x(W* shrunk, const W* big, const FilteredLrelu& p, const Area& mid) {
        for (int i = threadIdx.x; i < mid.h * p.tile_w; i += blockDim.x) {
            const W* from = big + (i / p.tile_w) * mid.w + (i % p.tile_w) * p.out.factor_x;
            W sum = 0;
            for (int k = 0; k < p.out.fw; k++) sum += W(tap(p.out, k)) * from[k];
            shrunk[i] = sum;
        }
    }

    __device__ static void finish(T* y, const W* shrunk, const W* big, const FilteredLrelu& p, const Area& mid, int ox, int oy) {
        for (int i = threadIdx.x; i < p.tile_w * p.tile_h; i += blockDim.x) {
            const int tx = i % p.tile_w, ty = i / p.tile_w;
            if (ox + tx >= p.out_w || oy + ty >= p.out_h) continue;
            W sum = 0;
            if (!p.out.fh) {
                const W* from = shrunk + ty * p.out.factor_y * p.tile_w + tx;
                for (int k = 0; k < p.out.fw; k++, from += p.tile_w) sum += W(tap(p.out, k)) * *from;
            } else {
                const W* line = big + ty * p.out.factor_y * mid.w + tx * p.out.factor_x;
                for (int ky = 0; ky < p.out.fh; ky++, line += mid.w)
                    for (int kx = 0; kx < p.out.fw; kx++) sum += W(tap(p.out, ky, kx)) * line[kx];
            }
            y[(long long)(oy + ty) * p.out_w + ox + tx] = T(sum * W(p.out.gain));
        }
    }

    __device__ static void run(const FilteredLrelu& p, int step, void* memory) {
        const int across = (p.out_w + p.tile_w - 1) / p.tile_w, down = (p.out_h + p.tile_h - 1) / p.tile_h;
        const int tile = blockIdx.x % (across * down), ox = tile % across * p.tile_w, oy = tile / across * p.tile_h;
        const long long plane = blockIdx.x / (across * down);
        const Plan plan = plan_of(p);
        W* fetched = static_cast<W*>(memory);
        W *rows = fetched + plan.fetched, *big = rows + plan.rows;
        const Area mid = under_tile(p, ox, oy);
        const bool second = step >= 3 && step < 6;
        if (second && !p.s) return;
        const Pass& up = second ? p.s_up : p.x_up;
        const Area in = under_mid(up, mid);
        if (step == 0) {
            const W bias = p.b ? W(static_cast<const T*>(p.b)[plane % p.c]) : W(0);
            fetch(fetched, in, static_cast<const T*>(p.x) + plane * p.in_h * p.in_w, p.in_h, p.in_w, bias);
        } else if (step == 3) {
            fetch(fetched, in, static_cast<const T*>(p.s) + plane * p.s_h * p.s_w, p.s_h, p.s_w, W(0));
        } else if (step == 1 || step == 4) {
            if (!up.fh) enlarge_x(rows, fetched, up, in, mid);
        } else if (step == 2 || step == 5) {
            for (int i = threadIdx.x; i < mid.size(); i += blockDim.x) {
                const int y = mid.y + i / mid.w, x = mid.x + i % mid.w;
                const W v = enlarged(rows, fetched, up, in, mid, i);
                if (y < 0 || y >= p.mid_h || x < 0 || x >= p.mid_w) {
                    big[i] = 0;
                } else {
                    big[i] = second ? big[i] * v : p.s ? slope(p, v) : activated(p, v);
                }
            }
        } else if (step == 6) {
            if (!p.out.fh) shrink_x(fetched, big, p, mid);
        } else {
            T* y = static_cast<T*>(p.y) + plane * p.out_h * p.out_w;
            finish(y, fetched, big, p, mid, ox, oy);
        }
    }
};

// The largest tile that shared memory holds; false where not even one sample's work does.
template <class W>
bool fit(FilteredLrelu& p) {
    constexpr int kBytes = 48 << 10;
    p.tile_w = p.tile_h = 32;
    while (plan_of(p).total() * sizeof(W) > kBytes) {
        if (p.tile_w == 1 && p.tile_h == 1) return false;
        (p.tile_h >= p.tile_w ? p.tile_h : p.tile_w) /= 2;
    }
    return true;
}

template <class T>
int run(FilteredLrelu p, void* stream) {
    using W = typename Wide<T>::type;
    if (!fit<W>(p)) return kTooLarge;
    const long long tiles = ceil_div(p.out_w, p.tile_w) * ceil_div(p.out_h, p.tile_h);
    const dim3 grid(tiles * p.n * p.c, 1, 1), block(FilteredLreluSteps<T>::kThreads, 1, 1);
    launch_steps<FilteredLreluSteps<T>>(p, grid, block, plan_of(p).total() * sizeof(W), stream);
    return launch_error();
}

}  // namespace stitchedit

// 0, or the number of a CUDA error; a negative number of common.h where it cannot be done.
STITCHEDIT_API int stitchedit_filtered_lrelu(const stitchedit::FilteredLrelu* p, void* stream) {
    return stitchedit::by_type(p->type, [&](auto of) { return stitchedit::run<decltype(of)>(*p, stream); });
}

// Enlarge by zero insertion, pad or crop, filter, keep every down-th sample: without ever storing the enlarged picture.
//
// A thread makes one column of a few outputs, so that a sample once loaded serves all outputs that it lies under.
// Neighbouring threads share samples through the L1 cache. x and y may have any strides; the threads of a warp run
// along the columns of a contiguous picture, and along the channels of a channels-last one.

#include "upfirdn2d_tiles.h"

namespace stitchedit {

constexpr int kThreads = 256;
// By what is done to the size: outputs of a thread in a plane, blocks on a processor at least. Found by measuring, as is
// how many planes a thread has at most.
constexpr int kRowsAlike = 8, kBlocksAlike = 4;
constexpr int kRowsEnlarged = 16, kBlocksEnlarged = 4;
constexpr int kRowsShrunk = 4, kBlocksShrunk = 4;
constexpr int kPlanes = 8;

// Which outputs a thread makes: ox, and some rows of them, the strip, in planes from `plane` on in steps of gridDim.y.
// Threads are counted along the columns and on through the strips, so that none is idle at the end of a row.
struct Place {
    int ox, c, strip;
};

__device__ __forceinline__ bool place(const Upfirdn& p, int strips, Place& at) {
    const long long thread = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    const int columns = p.out_w * (p.channels_last ? p.c : 1);
    int column;
    if (thread <= 0xffffffffll) {  // division of 64 bits is slow
        at.strip = unsigned(thread) / unsigned(columns);
        column = unsigned(thread) % unsigned(columns);
    } else {
        at.strip = thread / columns;
        column = thread % columns;
    }
    at.ox = p.channels_last ? column / p.c : column;
    at.c = p.channels_last ? column - at.ox * p.c : 0;
    return at.strip < strips;
}

__device__ __forceinline__ int positive_mod(int a, int m) {
    int r = a % m;
    return r < 0 ? r + m : r;
}

// Any factors and any filter; one output a thread.
template <class T>
__global__ void upfirdn_any(Upfirdn p) {
    using W = typename Wide<T>::type;
    Place at;
    if (!place(p, p.out_h, at)) return;
    const int planes = p.channels_last ? p.n : p.n * p.c;
    const int mid_x = at.ox * p.down_x - p.pad_x, mid_y = at.strip * p.down_y - p.pad_y;
    const int kx0 = positive_mod(-mid_x, p.up_x), ky0 = positive_mod(-mid_y, p.up_y);
    const int ix0 = (mid_x + kx0) / p.up_x, iy0 = (mid_y + ky0) / p.up_y;  // exact
    for (int plane = blockIdx.y; plane < planes; plane += gridDim.y) {
        const int n = p.channels_last ? plane : plane / p.c, c = p.channels_last ? at.c : plane % p.c;
        const T* x = static_cast<const T*>(p.x) + n * p.x_stride[0] + c * p.x_stride[1];
        W sum = 0;
        for (int ky = ky0, iy = iy0; ky < p.fh; ky += p.up_y, iy++) {
            if (iy < 0 || iy >= p.in_h) continue;
            for (int kx = kx0, ix = ix0; kx < p.fw; kx += p.up_x, ix++) {
                if (ix < 0 || ix >= p.in_w) continue;
                sum += W(tap(p, ky, kx)) * W(x[iy * p.x_stride[2] + ix * p.x_stride[3]]);
            }
        }
        T* y = static_cast<T*>(p.y) + n * p.y_stride[0] + c * p.y_stride[1];
        y[at.strip * p.y_stride[2] + at.ox * p.y_stride[3]] = T(sum * W(p.gain));
    }
}

// 4x4 taps and the same factor in x and y, known to the compiler. PHASE: pad_y modulo UP. DENSE: columns are neighbours
// in memory.
template <class T, int UP, int DOWN, int PHASE, int ROWS, bool DENSE>
struct Strip {
    using W = typename Wide<T>::type;
    static constexpr int kTaps = 4, kNear = kTaps / UP;  // taps of a phase
    // First tap and first sample (relative to the strip's first) of output t of a strip; ROWS is a multiple of UP.
    __device__ static constexpr int first_tap(int t) { return (PHASE + t) % UP; }
    __device__ static constexpr int first_row(int t) { return UP == 1 ? t * DOWN : (t - PHASE + (PHASE + t) % UP) / UP; }
    static constexpr int kRowOfLast = UP == 1 ? (ROWS - 1) * DOWN : (ROWS - 1 - PHASE + (PHASE + ROWS - 1) % UP) / UP;
    static constexpr int kSamples = kRowOfLast + kNear;

    W w[kTaps][kNear];

    // What the samples from (iy0, ix0) on give; CHECKED: some lie outside of the picture.
    template <bool CHECKED>
    __device__ __forceinline__ void add(const Upfirdn& p, const T* x, int iy0, int ix0, W (&sum)[ROWS]) const {
        const long long across = DENSE ? 1 : p.x_stride[3], down = p.x_stride[2];
        const T* row = x + iy0 * down + ix0 * across;
#pragma unroll
        for (int r = 0; r < kSamples; r++, row += down) {
            const bool row_inside = !CHECKED || (iy0 + r >= 0 && iy0 + r < p.in_h);
#pragma unroll
            for (int j = 0; j < kNear; j++) {
                W v = 0;
                if (!CHECKED || (row_inside && ix0 + j >= 0 && ix0 + j < p.in_w)) v = W(row[j * across]);
#pragma unroll
                for (int t = 0; t < ROWS; t++) {
                    const int ky = first_tap(t) + UP * (r - first_row(t));
                    if (ky >= 0 && ky < kTaps) sum[t] += w[ky][j] * v;
                }
            }
        }
    }
};

template <class T, int UP, int DOWN>
constexpr int kBlocks = sizeof(T) > 4 ? 1 : DOWN == 2 ? kBlocksShrunk : UP == 2 ? kBlocksEnlarged : kBlocksAlike;

template <class T, int UP, int DOWN, int PHASE, int ROWS, bool DENSE>
__global__ void __launch_bounds__(kThreads, DENSE ? kBlocks<T, UP, DOWN> : 1) upfirdn_4x4(Upfirdn p) {
    using S = Strip<T, UP, DOWN, PHASE, ROWS, DENSE>;
    using W = typename S::W;
    Place at;
    if (!place(p, (p.out_h + ROWS - 1) / ROWS, at)) return;
    const int planes = p.channels_last ? p.n : p.n * p.c;
    const int mid_x = at.ox * DOWN - p.pad_x;
    const int kx0 = positive_mod(-mid_x, UP);
    const int ix0 = (mid_x + kx0) / UP;
    const int oy = at.strip * ROWS;
    const int iy0 = (oy * DOWN - p.pad_y + PHASE) / UP;
    const bool inside = ix0 >= 0 && ix0 + S::kNear <= p.in_w && iy0 >= 0 && iy0 + S::kSamples <= p.in_h;

    S strip;
#pragma unroll
    for (int ky = 0; ky < S::kTaps; ky++)
#pragma unroll
        for (int j = 0; j < S::kNear; j++) strip.w[ky][j] = W(tap(p, ky, kx0 + j * UP)) * W(p.gain);

    for (int plane = blockIdx.y; plane < planes; plane += gridDim.y) {
        const int n = p.channels_last ? plane : plane / p.c, c = p.channels_last ? at.c : plane % p.c;
        const T* x = static_cast<const T*>(p.x) + n * p.x_stride[0] + c * p.x_stride[1];
        W sum[ROWS] = {};
        if (inside) {
            strip.template add<false>(p, x, iy0, ix0, sum);
        } else {
            strip.template add<true>(p, x, iy0, ix0, sum);
        }
        T* y = static_cast<T*>(p.y) + n * p.y_stride[0] + c * p.y_stride[1] + oy * p.y_stride[2] + at.ox * p.y_stride[3];
#pragma unroll
        for (int t = 0; t < ROWS; t++, y += p.y_stride[2])
            if (oy + t < p.out_h) *y = T(sum[t]);
    }
}

// So many threads, each `most` planes in turn (so that taps are read once for them) where enough blocks are left.
inline dim3 grid_of(long long threads, long long planes, long long most) {
    constexpr long long kEnough = 2048;
    const long long blocks = ceil_div(threads, kThreads);
    while (most > 1 && blocks * ceil_div(planes, most) < kEnough) most /= 2;
    const long long deep = ceil_div(planes, most);
    return dim3(blocks, deep < 65535 ? deep : 65535, 1);
}

template <class T, int UP, int DOWN, int PHASE>
void launch_4x4(const Upfirdn& p, long long columns, long long planes, void* stream) {
    constexpr int kRows = DOWN == 2 ? kRowsShrunk : UP == 2 ? kRowsEnlarged : kRowsAlike;
    const dim3 block(kThreads, 1, 1), grid = grid_of(columns * ceil_div(p.out_h, kRows), planes, kPlanes);
    if (p.x_stride[3] == 1) {
        STITCHEDIT_LAUNCH((upfirdn_4x4<T, UP, DOWN, PHASE, kRows, true>), grid, block, stream, p);
    } else {
        STITCHEDIT_LAUNCH((upfirdn_4x4<T, UP, DOWN, PHASE, kRows, false>), grid, block, stream, p);
    }
}

template <class T>
int run(const Upfirdn& p, void* stream) {
    const bool square = p.up_x == p.up_y && p.down_x == p.down_y && p.fw == 4 && p.fh == 4;
    const bool known = square && (p.up_x == 1 || p.up_x == 2) && (p.down_x == 1 || (p.down_x == 2 && p.up_x == 1));
    if (known && in_tiles<T>(p, stream)) return launch_error();
    const long long columns = (long long)p.out_w * (p.channels_last ? p.c : 1);
    const long long planes = p.channels_last ? p.n : (long long)p.n * p.c;
    if (!known) {
        const dim3 block(kThreads, 1, 1), grid = grid_of(columns * p.out_h, planes, 1);
        STITCHEDIT_LAUNCH((upfirdn_any<T>), grid, block, stream, p);
    } else if (p.up_x == 1 && p.down_x == 1) {
        launch_4x4<T, 1, 1, 0>(p, columns, planes, stream);
    } else if (p.up_x == 1) {
        launch_4x4<T, 1, 2, 0>(p, columns, planes, stream);
    } else if (p.pad_y % 2 == 0) {
        launch_4x4<T, 2, 1, 0>(p, columns, planes, stream);
    } else {
        launch_4x4<T, 2, 1, 1>(p, columns, planes, stream);
    }
    return launch_error();
}

}  // namespace stitchedit

// 0, or the number of a CUDA error; -1 for a type that is not known.
STITCHEDIT_API int stitchedit_upfirdn2d(const stitchedit::Upfirdn* p, void* stream) {
    return stitchedit::by_type(p->type, [&](auto of) { return stitchedit::run<decltype(of)>(*p, stream); });
}

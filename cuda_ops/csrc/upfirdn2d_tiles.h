// 4x4 taps over large contiguous pictures: a block fetches its part of a picture into shared memory once, in whole rows,
// and a thread makes 4 neighbouring outputs in each of a few rows, so that a sample once read serves up to 16 products.
#pragma once

#include "upfirdn2d.h"

namespace stitchedit {

template <class T, int COUNT>
struct alignas(COUNT * sizeof(T)) Together {  // read and written at once
    T v[COUNT];
};

// The same factor in x and y, known to the compiler; where UP is 2, pads are even. STAGED: rows of y begin anywhere in
// memory, so that outputs are put in order in shared memory first.
template <class T, int UP, int DOWN, bool STAGED>
struct Tiles {
    static constexpr int kSteps = STAGED ? 3 : 2, kThreads = 128, kBlocks = 8;
    static constexpr int kTaps = 4, kAcross = 4, kRows = DOWN == 2 ? 2 : 4;  // of a thread
    static constexpr int kW = 32 * kAcross, kH = kThreads / 32 * kRows;      // of a tile
    static constexpr int kInW = UP == 2 ? kW / 2 + 2 : (kW - 1) * DOWN + kTaps;
    static constexpr int kInH = UP == 2 ? kH / 2 + 2 : (kH - 1) * DOWN + kTaps;
    static constexpr int kWindow = UP == 2 ? 4 : DOWN == 2 ? 12 : 8;
    static constexpr int kWindowRows = UP == 2 ? kRows / 2 + 2 : (kRows - 1) * DOWN + kTaps;
    static constexpr int kStep = kAcross * DOWN / UP, kAtOnce = kStep < 4 ? kStep : 4;  // samples from thread to thread
    static constexpr int kPitch = (31 * kStep + kWindow + 3) / 4 * 4;
    static constexpr int kPicture = kTaps * kTaps, kStage = kPicture + kInH * kPitch;  // where they begin, after the taps
    static constexpr int kBytes = (kStage + (STAGED ? kW * kH : 0)) * sizeof(float);
    static constexpr int kFetches = (kInH + kThreads / 32 - 1) / (kThreads / 32), kColumns = (kInW + 31) / 32;

    // First tap and first sample of output t of a thread, along either axis.
    __device__ static constexpr int first_tap(int t) { return UP == 2 ? t % 2 : 0; }
    __device__ static constexpr int first_sample(int t) { return UP == 2 ? (t + 1) / 2 : t * DOWN; }

    __device__ static void fetch(const Upfirdn& p, const T* x, int iy0, int ix0, float* memory) {
        const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
        if (threadIdx.x < kTaps * kTaps)  // these come first in memory
            memory[threadIdx.x] = tap(p, threadIdx.x / kTaps, threadIdx.x % kTaps) * float(p.gain);
        T v[kFetches][kColumns];  // as stored: all of them are under way before the first is waited for
#pragma unroll
        for (int i = 0; i < kFetches; i++) {
            const int r = warp + i * (kThreads / 32), iy = iy0 + r;
            const bool wanted = r < kInH && iy >= 0 && iy < p.in_h;
            const T* row = x + iy * p.x_stride[2] + ix0;
#pragma unroll
            for (int j = 0; j < kColumns; j++) {
                const int column = lane + 32 * j, ix = ix0 + column;
                v[i][j] = wanted && column < kInW && ix >= 0 && ix < p.in_w ? row[column] : T(0.f);
            }
        }
#pragma unroll
        for (int i = 0; i < kFetches; i++) {
            const int r = warp + i * (kThreads / 32);
#pragma unroll
            for (int j = 0; j < kColumns; j++) {
                const int column = lane + 32 * j;
                if (r < kInH && column < kPitch) memory[kPicture + r * kPitch + column] = float(v[i][j]);
            }
        }
    }

    __device__ static void filter(const float* memory, float (&sum)[kRows][kAcross]) {
        using Part = Together<float, kAtOnce>;
        using Line = Together<float, kTaps>;
        const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
        const float* from = memory + kPicture + warp * kRows * DOWN / UP * kPitch + lane * kStep;
        Line w[kTaps];
#pragma unroll
        for (int ky = 0; ky < kTaps; ky++) w[ky] = reinterpret_cast<const Line*>(memory)[ky];
#pragma unroll
        for (int r = 0; r < kWindowRows; r++) {
            float v[kWindow];
#pragma unroll
            for (int i = 0; i < kWindow / kAtOnce; i++) {
                const Part part = reinterpret_cast<const Part*>(from + r * kPitch)[i];
#pragma unroll
                for (int j = 0; j < kAtOnce; j++) v[i * kAtOnce + j] = part.v[j];
            }
#pragma unroll
            for (int t = 0; t < kRows; t++) {
                const int ky = first_tap(t) + UP * (r - first_sample(t));
                if (ky < 0 || ky >= kTaps) continue;
#pragma unroll
                for (int j = 0; j < kAcross; j++)
#pragma unroll
                    for (int kx = first_tap(j), i = first_sample(j); kx < kTaps; kx += UP, i++)
                        sum[t][j] += w[ky].v[kx] * v[i];
            }
        }
    }

    __device__ static void run(const Upfirdn& p, int step, void* shared) {
        float* memory = static_cast<float*>(shared);
        const int across = (p.out_w + kW - 1) / kW, down = (p.out_h + kH - 1) / kH;
        const int tile = blockIdx.x % (across * down), plane = blockIdx.x / (across * down);
        const int ox0 = tile % across * kW, oy0 = tile / across * kH;
        const int lane = threadIdx.x % 32, line = threadIdx.x / 32 * kRows;
        if (step == 0) {
            const T* x = static_cast<const T*>(p.x) + plane / p.c * p.x_stride[0] + plane % p.c * p.x_stride[1];
            fetch(p, x, (oy0 * DOWN - p.pad_y) / UP, (ox0 * DOWN - p.pad_x) / UP, memory);
            return;
        }
        T* y = static_cast<T*>(p.y) + plane / p.c * p.y_stride[0] + plane % p.c * p.y_stride[1];
        y += (oy0 + line) * p.y_stride[2] + ox0;
        if (step == 1) {
            float sum[kRows][kAcross] = {};
            filter(memory, sum);
            using Four = Together<T, kAcross>;
            using Kept = Together<float, kAcross>;
#pragma unroll
            for (int t = 0; t < kRows; t++) {
                Four given;
                Kept kept;
#pragma unroll
                for (int j = 0; j < kAcross; j++) given.v[j] = T(kept.v[j] = sum[t][j]);
                if (STAGED) {
                    reinterpret_cast<Kept*>(memory + kStage + (line + t) * kW)[lane] = kept;
                } else if (oy0 + line + t < p.out_h && ox0 + lane * kAcross < p.out_w) {
                    reinterpret_cast<Four*>(y + t * p.y_stride[2])[lane] = given;
                }
            }
            return;
        }
#pragma unroll
        for (int t = 0; t < kRows; t++)
#pragma unroll
            for (int j = 0; j < kAcross; j++) {
                const int column = lane + 32 * j;
                if (oy0 + line + t < p.out_h && ox0 + column < p.out_w)
                    y[t * p.y_stride[2] + column] = T(memory[kStage + (line + t) * kW + column]);
            }
    }
};

template <class T, int UP, int DOWN, bool STAGED>
void launch_tiles(const Upfirdn& p, void* stream) {
    using Work = Tiles<T, UP, DOWN, STAGED>;
    const long long tiles = ceil_div(p.out_w, Work::kW) * ceil_div(p.out_h, Work::kH);
    launch_steps<Work>(p, dim3(tiles * p.n * p.c, 1, 1), dim3(Work::kThreads, 1, 1), Work::kBytes, stream);
}

// Launches the work where this is the way for it: whether it is.
template <class T>
bool in_tiles(const Upfirdn& p, void* stream) {
    if constexpr (sizeof(T) > 4) {
        return false;
    } else {
        if (p.channels_last || p.x_stride[3] != 1 || p.y_stride[3] != 1 || p.out_w < 96 || p.out_h < 32) return false;
        if (p.up_x == 2 && (p.pad_x % 2 || p.pad_y % 2)) return false;
        // y is new and contiguous: its rows begin where a vector may be written if they are of whole vectors.
        const bool staged = p.out_w % 4 != 0;
        if (p.up_x == 2) {
            staged ? launch_tiles<T, 2, 1, true>(p, stream) : launch_tiles<T, 2, 1, false>(p, stream);
        } else if (p.down_x == 2) {
            staged ? launch_tiles<T, 1, 2, true>(p, stream) : launch_tiles<T, 1, 2, false>(p, stream);
        } else {
            staged ? launch_tiles<T, 1, 1, true>(p, stream) : launch_tiles<T, 1, 1, false>(p, stream);
        }
        return true;
    }
}

}  // namespace stitchedit

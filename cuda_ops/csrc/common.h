// What the kernels share. Nothing of torch is included: the library speaks C, pointers and a stream come in as void*.
#pragma once

#ifdef STITCHEDIT_HOST
// The tests compile the kernels as plain C++ and run them thread by thread, to check them where there is no GPU.
#include "host.h"
#else
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>
#define STITCHEDIT_LAUNCH(kernel, grid, block, stream, ...) \
    kernel<<<grid, block, 0, static_cast<cudaStream_t>(stream)>>>(__VA_ARGS__)
#endif

#define STITCHEDIT_API extern "C" __attribute__((visibility("default")))

namespace stitchedit {

enum Type { kHalf = 0, kFloat = 1, kDouble = 2, kBrain = 3 };  // kBrain: bfloat16

// What a type is computed in: half precision is only for storage.
template <class T>
struct Wide {
    using type = float;
};
template <>
struct Wide<double> {
    using type = double;
};

constexpr int kUnknownType = -1, kTooLarge = -2;  // results that are no number of CUDA

// `run` called with a value of the type of this number, for the type's sake; or kUnknownType.
template <class Run>
int by_type(int type, Run run) {
    switch (type) {
#ifndef STITCHEDIT_HOST
        case kHalf: return run(__half{});
        case kBrain: return run(__nv_bfloat16{});
#endif
        case kFloat: return run(float{});
        case kDouble: return run(double{});
    }
    return kUnknownType;
}

inline long long ceil_div(long long a, long long b) { return (a + b - 1) / b; }

inline int launch_error() { return static_cast<int>(cudaGetLastError()); }

#ifndef STITCHEDIT_HOST
// A kernel of several steps: the threads of a block wait for each other between them, and share `bytes` of memory.
template <class Steps, class Args>
__global__ void __launch_bounds__(Steps::kThreads, Steps::kBlocks) run_steps(Args p) {
    extern __shared__ double memory[];
#pragma unroll
    for (int step = 0; step < Steps::kSteps; step++) {
        if (step) __syncthreads();
        Steps::run(p, step, memory);
    }
}

template <class Steps, class Args>
void launch_steps(const Args& p, dim3 grid, dim3 block, int bytes, void* stream) {
    run_steps<Steps, Args><<<grid, block, bytes, static_cast<cudaStream_t>(stream)>>>(p);
}
#endif

}  // namespace stitchedit

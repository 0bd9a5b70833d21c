// What both kernels share. Nothing of torch is included: the library speaks C, pointers and a stream come in as void*.
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

inline long long ceil_div(long long a, long long b) { return (a + b - 1) / b; }

inline int launch_error() { return static_cast<int>(cudaGetLastError()); }

}  // namespace stitchedit

// CUDA's words in plain C++: enough to run the kernels of cuda_ops/csrc thread by thread on the processor.
#pragma once
#include <math.h>

#define __global__
#define __device__
#define __forceinline__ inline
#define __launch_bounds__(...)

struct dim3 {
    unsigned x, y, z;
    dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};

inline dim3 blockIdx, threadIdx, blockDim, gridDim;

using cudaError_t = int;
inline int cudaGetLastError() { return 0; }
inline const char* cudaGetErrorString(int) { return "no error"; }

// The kernels neither share memory nor wait for each other, so their threads can run one after another.
template <class Kernel, class Args>
void run_threads(Kernel kernel, dim3 grid, dim3 block, const Args& args) {
    gridDim = grid;
    blockDim = block;
    for (blockIdx.z = 0; blockIdx.z < grid.z; blockIdx.z++)
        for (blockIdx.y = 0; blockIdx.y < grid.y; blockIdx.y++)
            for (blockIdx.x = 0; blockIdx.x < grid.x; blockIdx.x++)
                for (threadIdx.y = 0; threadIdx.y < block.y; threadIdx.y++)
                    for (threadIdx.x = 0; threadIdx.x < block.x; threadIdx.x++) kernel(args);
}

#define STITCHEDIT_LAUNCH(kernel, grid, block, stream, args) run_threads(kernel, grid, block, args)

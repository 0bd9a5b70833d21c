// CUDA's words in plain C++: enough to run the kernels of cuda_ops/csrc thread by thread on the processor.
#pragma once
#include <math.h>

#include <vector>

#define __global__
#define __device__
#define __host__
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

// Threads run one after another: these kernels neither share memory nor wait for each other.
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

// Kernels that do are cut into steps: a block's threads run one after another, a step at a time.
template <class Steps, class Args>
void launch_steps(const Args& args, dim3 grid, dim3 block, int bytes, void*) {
    gridDim = grid;
    blockDim = block;
    for (blockIdx.x = 0; blockIdx.x < grid.x; blockIdx.x++) {
        std::vector<double> memory(bytes / sizeof(double) + 1, 1e30);  // what was not written must not be read
        for (int step = 0; step < Steps::kSteps; step++)
            for (threadIdx.x = 0; threadIdx.x < block.x; threadIdx.x++) Steps::run(args, step, memory.data());
    }
}

#define STITCHEDIT_LAUNCH(kernel, grid, block, stream, args) run_threads(kernel, grid, block, args)

// What a CUDA error's number means.

#include "common.h"

STITCHEDIT_API const char* stitchedit_error(int code) {
    if (code == stitchedit::kTooLarge) return "the filters are too large for shared memory";
    return code < 0 ? "unknown tensor type" : cudaGetErrorString(static_cast<cudaError_t>(code));
}

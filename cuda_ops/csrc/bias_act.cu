// clamp(act(x + b) * gain), and its first and second derivative times what comes in: one pass over memory each.

#include "common.h"

namespace stitchedit {

enum Act { kLinear, kRelu, kLrelu, kTanh, kSigmoid, kElu, kSelu, kSoftplus, kSwish };

struct BiasAct {
    const void* dx;  // order 2: gradient of the first derivative's result
    const void* dy;  // order 1 and 2: gradient of the result
    const void* x;   // order 0, and the curved activations; else null
    const void* b;   // null for no bias
    const void* y;   // what order 0 gave, for relu and lrelu or with a clamp; else null
    void* out;
    long long size;         // elements; all tensors are dense and have the same strides
    long long bias_stride;  // elements between neighbours along the bias' dimension
    double alpha, gain, clamp;  // clamp < 0: none
    int type, order, act, bias_size;
};

template <class W>
__device__ __forceinline__ W sigmoid(W v) {
    return v < 0 ? exp(v) / (1 + exp(v)) : 1 / (1 + exp(-v));
}

template <class W>
struct Selu {
    static constexpr W scale = W(1.0507009873554804934193349852946);
    static constexpr W alpha = W(1.6732632423543772848170429916717);
};

template <class W>
__device__ __forceinline__ W activate(int act, W v, W alpha) {
    switch (act) {
        case kRelu: return v > 0 ? v : 0;
        case kLrelu: return v > 0 ? v : v * alpha;
        case kTanh: return tanh(v);
        case kSigmoid: return sigmoid(v);
        case kElu: return v > 0 ? v : expm1(v);
        case kSelu: return v > 0 ? Selu<W>::scale * v : Selu<W>::scale * Selu<W>::alpha * expm1(v);
        case kSoftplus: return (v > 0 ? v : 0) + log1p(exp(v > 0 ? -v : v));
        case kSwish: return v * sigmoid(v);
    }
    return v;
}

// First derivative at v; relu and lrelu see only the sign of what they gave.
template <class W>
__device__ __forceinline__ W slope(int act, W v, bool positive, W alpha) {
    switch (act) {
        case kRelu: return positive ? 1 : 0;
        case kLrelu: return positive ? 1 : alpha;
        case kTanh: return 1 - tanh(v) * tanh(v);
        case kSigmoid: return sigmoid(v) * (1 - sigmoid(v));
        case kElu: return v > 0 ? 1 : exp(v);
        case kSelu: return v > 0 ? Selu<W>::scale : Selu<W>::scale * Selu<W>::alpha * exp(v);
        case kSoftplus: return sigmoid(v);
        case kSwish: return sigmoid(v) * (1 + v * (1 - sigmoid(v)));
    }
    return 1;
}

template <class W>
__device__ __forceinline__ W curvature(int act, W v) {
    const W s = sigmoid(v);
    switch (act) {
        case kTanh: return -2 * tanh(v) * (1 - tanh(v) * tanh(v));
        case kSigmoid: return s * (1 - s) * (1 - 2 * s);
        case kElu: return v > 0 ? 0 : exp(v);
        case kSelu: return v > 0 ? 0 : Selu<W>::scale * Selu<W>::alpha * exp(v);
        case kSoftplus: return s * (1 - s);
        case kSwish: return s * (1 - s) * (2 + v * (1 - 2 * s));
    }
    return 0;
}

// So many elements travel together in one load.
template <class T, int N>
struct alignas(sizeof(T) * N) Pack {
    T v[N];
};

template <class T, int N>
__device__ __forceinline__ Pack<T, N> load(const void* from, long long i) {
    return from ? static_cast<const Pack<T, N>*>(from)[i] : Pack<T, N>{};
}

// The bias of N elements from `at` on. Either the pack has one, or (stride 1) it lies along the bias: see run().
template <class T, int N>
__device__ __forceinline__ Pack<T, N> bias(const BiasAct& p, long long at) {
    const T* b = static_cast<const T*>(p.b);
    long long along;
    if (p.size <= 0xffffffffll) {  // division of 64 bits is slow
        along = unsigned(at) / unsigned(p.bias_stride) % unsigned(p.bias_size);
    } else {
        along = at / p.bias_stride % p.bias_size;
    }
    Pack<T, N> found;
#pragma unroll
    for (int k = 0; k < N; k++) found.v[k] = b[(N > 1 && p.bias_stride == 1) ? along + k : along];
    return found;
}

// ACT: the activation where the compiler is to know it, else -1.
template <class T, int N, int ORDER, int ACT>
__global__ void bias_act(BiasAct p) {
    using W = typename Wide<T>::type;
    constexpr bool kBySign = ORDER == 1 && ACT >= 0;  // the derivative looks at y alone
    const int act = ACT < 0 ? p.act : ACT;
    const W alpha = W(p.alpha), gain = W(p.gain), clamp = W(p.clamp);
    const long long step = (long long)gridDim.x * blockDim.x;
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < p.size / N; i += step) {
        const Pack<T, N> xs = load<T, N>(kBySign ? nullptr : p.x, i), ys = load<T, N>(ORDER == 0 ? nullptr : p.y, i);
        const Pack<T, N> dys = load<T, N>(ORDER == 0 ? nullptr : p.dy, i);
        const Pack<T, N> dxs = load<T, N>(ORDER < 2 ? nullptr : p.dx, i);
        const Pack<T, N> bs = kBySign || !p.b ? Pack<T, N>{} : bias<T, N>(p, i * N);
        Pack<T, N> out;
#pragma unroll
        for (int k = 0; k < N; k++) {
            const W v = W(xs.v[k]) + W(bs.v[k]), y = W(ys.v[k]);
            W result;
            if (ORDER == 0) {
                result = activate(act, v, alpha) * gain;
                if (clamp >= 0) result = result > clamp ? clamp : (result < -clamp ? -clamp : result);
            } else {
                result = W(dys.v[k]) * gain;
                if (ORDER == 1) {
                    result *= slope(act, v, gain > 0 ? y > 0 : y < 0, alpha);
                } else {
                    result *= W(dxs.v[k]) * curvature(act, v);
                }
                if (clamp >= 0 && !(y > -clamp && y < clamp)) result = 0;
            }
            out.v[k] = T(result);
        }
        static_cast<Pack<T, N>*>(p.out)[i] = out;
    }
}

template <class T, int N>
void launch(const BiasAct& p, dim3 grid, dim3 block, void* stream) {
    if (p.order == 0 && p.act == kLinear) {
        STITCHEDIT_LAUNCH((bias_act<T, N, 0, kLinear>), grid, block, stream, p);
    } else if (p.order == 0 && p.act == kLrelu) {
        STITCHEDIT_LAUNCH((bias_act<T, N, 0, kLrelu>), grid, block, stream, p);
    } else if (p.order == 0) {
        STITCHEDIT_LAUNCH((bias_act<T, N, 0, -1>), grid, block, stream, p);
    } else if (p.order == 1 && p.act == kLinear) {
        STITCHEDIT_LAUNCH((bias_act<T, N, 1, kLinear>), grid, block, stream, p);
    } else if (p.order == 1 && p.act == kLrelu) {
        STITCHEDIT_LAUNCH((bias_act<T, N, 1, kLrelu>), grid, block, stream, p);
    } else if (p.order == 1) {
        STITCHEDIT_LAUNCH((bias_act<T, N, 1, -1>), grid, block, stream, p);
    } else {
        STITCHEDIT_LAUNCH((bias_act<T, N, 2, -1>), grid, block, stream, p);
    }
}

inline bool aligned(const void* pointer) { return reinterpret_cast<unsigned long long>(pointer) % 16 == 0; }

template <class T>
int run(const BiasAct& p, void* stream) {
    constexpr int kThreads = 256, kMost = 16 / sizeof(T);
    const bool fits = p.size % kMost == 0 && aligned(p.dx) && aligned(p.dy) && aligned(p.x) && aligned(p.y) &&
                      aligned(p.out);
    const bool even = !p.b || p.bias_stride % kMost == 0 || (p.bias_stride == 1 && p.bias_size % kMost == 0);
    const long long threads = fits && even ? p.size / kMost : p.size;
    const long long blocks = ceil_div(threads, kThreads);
    const dim3 grid(blocks < 65536 ? blocks : 65536, 1, 1), block(kThreads, 1, 1);
    if (fits && even) {
        launch<T, kMost>(p, grid, block, stream);
    } else {
        launch<T, 1>(p, grid, block, stream);
    }
    return launch_error();
}

}  // namespace stitchedit

// 0, or the number of a CUDA error; -1 for a type that is not known.
STITCHEDIT_API int stitchedit_bias_act(const stitchedit::BiasAct* p, void* stream) {
    return stitchedit::by_type(p->type, [&](auto of) { return stitchedit::run<decltype(of)>(*p, stream); });
}

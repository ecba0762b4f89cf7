// One register of values by the compiler's vector types, what is done with it, and where scratch memory comes from.
// AWD_BYTES is the size of a register. Nothing here or in the files beside it allocates, throws or keeps a state.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#define INLINE inline __attribute__((always_inline))

namespace {

using Long = std::ptrdiff_t;

template <typename T> struct Types;
template <> struct Types<float> {
  typedef float V __attribute__((vector_size(AWD_BYTES)));
  typedef std::int32_t I __attribute__((vector_size(AWD_BYTES)));
  static constexpr std::int32_t magnitude = 0x7fffffff;
};
template <> struct Types<double> {
  typedef double V __attribute__((vector_size(AWD_BYTES)));
  typedef std::int64_t I __attribute__((vector_size(AWD_BYTES)));
  static constexpr std::int64_t magnitude = 0x7fffffffffffffff;
};
template <typename T> using V = typename Types<T>::V;
template <typename T> constexpr int K = AWD_BYTES / sizeof(T);
template <typename T> using Lanes = std::make_integer_sequence<int, K<T>>;

template <typename R, typename T> INLINE R load(const T* p) {
  R r;
  std::memcpy(&r, p, sizeof r);
  return r;
}
template <typename R, typename T> INLINE void store(T* p, R r) { std::memcpy(p, &r, sizeof r); }
// Minus zero stays what it is: a + 0 would make it plus zero, and cost an addition.
template <typename R, typename T> INLINE R all(T a) { return a - R{}; }
template <typename T> INLINE V<T> absolute(V<T> a) { return (V<T>)((typename Types<T>::I)a & Types<T>::magnitude); }
template <typename T> constexpr Long padded(Long n) { return (n + K<T> - 1) / K<T> * K<T>; }

// The values of two registers, side by side, at some places.
template <typename T, int... P> INLINE V<T> pick(V<T> a, V<T> b, std::integer_sequence<int, P...>) {
#ifdef __clang__
  return __builtin_shufflevector(a, b, P...);
#else
  return __builtin_shuffle(a, b, typename Types<T>::I{P...});
#endif
}
template <int... I> constexpr std::integer_sequence<int, 2 * I...> evens(std::integer_sequence<int, I...>);
template <int... I> constexpr std::integer_sequence<int, 2 * I + 1 ...> odds(std::integer_sequence<int, I...>);
// From K of one and K of another, alternating: the first K, and the rest.
template <int k, int first, int... I>
constexpr std::integer_sequence<int, (first + I) / 2 + (I % 2 ? k : 0)...> mixed(std::integer_sequence<int, I...>);
// One step of a transposition: blocks of h values change places between two registers.
template <int k, int h, int... I>
constexpr std::integer_sequence<int, ((I & h) ? k + I - h : I)...> upper(std::integer_sequence<int, I...>);
template <int k, int h, int... I>
constexpr std::integer_sequence<int, ((I & h) ? k + I : I + h)...> lower(std::integer_sequence<int, I...>);

// even[m] = line[2m], odd[m] = line[2m + 1] for m < n, up to the next whole register: all three have room for it.
template <typename T> INLINE void deinterleave(const T* line, Long n, T* even, T* odd) {
  for (Long m = 0; m < n; m += K<T>) {
    V<T> a = load<V<T>>(line + 2 * m), b = load<V<T>>(line + 2 * m + K<T>);
    store(even + m, pick<T>(a, b, decltype(evens(Lanes<T>{})){}));
    store(odd + m, pick<T>(a, b, decltype(odds(Lanes<T>{})){}));
  }
}
template <typename T> INLINE void interleave(const T* even, const T* odd, Long n, T* line) {
  for (Long m = 0; m < n; m += K<T>) {
    V<T> a = load<V<T>>(even + m), b = load<V<T>>(odd + m);
    store(line + 2 * m, pick<T>(a, b, decltype(mixed<K<T>, 0>(Lanes<T>{})){}));
    store(line + 2 * m + K<T>, pick<T>(a, b, decltype(mixed<K<T>, K<T>>(Lanes<T>{})){}));
  }
}

template <typename T, int h> INLINE void transpose_step(V<T>* r) {
  if constexpr (h >= 1) {
#pragma GCC unroll 16
    for (int k = 0; k < K<T>; k++)
      if (!(k & h)) {
        V<T> a = r[k], b = r[k + h];
        r[k] = pick<T>(a, b, decltype(upper<K<T>, h>(Lanes<T>{})){});
        r[k + h] = pick<T>(a, b, decltype(lower<K<T>, h>(Lanes<T>{})){});
      }
    transpose_step<T, h / 2>(r);
  }
}
// Up to K rows of n values (row k at x + k * stride) as n rows of K: a series in each lane, zeros in lanes left over.
template <typename T> void into_lanes(const T* x, Long stride, int rows, Long n, T* y) {
  Long i = 0;
  if (rows == K<T>)
    for (; i + K<T> <= n; i += K<T>) {
      V<T> r[K<T>];
      for (int k = 0; k < K<T>; k++) r[k] = load<V<T>>(x + k * stride + i);
      transpose_step<T, K<T> / 2>(r);
      for (int k = 0; k < K<T>; k++) store(y + (i + k) * K<T>, r[k]);
    }
  for (; i < n; i++)
    for (int k = 0; k < K<T>; k++) y[i * K<T> + k] = k < rows ? x[k * stride + i] : T(0);
}
template <typename T> void out_of_lanes(const T* y, int rows, Long n, T* x, Long stride) {
  Long i = 0;
  if (rows == K<T>)
    for (; i + K<T> <= n; i += K<T>) {
      V<T> r[K<T>];
      for (int k = 0; k < K<T>; k++) r[k] = load<V<T>>(y + (i + k) * K<T>);
      transpose_step<T, K<T> / 2>(r);
      for (int k = 0; k < K<T>; k++) store(x + k * stride + i, r[k]);
    }
  for (; i < n; i++)
    for (int k = 0; k < rows; k++) x[k * stride + i] = y[i * K<T> + k];
}

// The sum over the lanes, by halves.
template <typename T> INLINE double in_float64(V<T> a) {
  double sum[K<T>];
  for (int k = 0; k < K<T>; k++) sum[k] = double(a[k]);
  for (int h = K<T> / 2; h; h /= 2)
    for (int k = 0; k < h; k++) sum[k] += sum[k + h];
  return sum[0];
}

// Scratch memory is the caller's. Taken from address zero, nothing is touched and `used` tells how much is needed.
struct Arena {
  std::uintptr_t base;
  std::size_t used = 0;
  // With `before` values in front of a place that a register may be loaded from at once.
  template <typename T> T* take(Long n, Long before = 0) {
    used = (used + 63) & ~std::size_t(63);
    used += std::size_t((64 - before * sizeof(T) % 64) % 64);
    T* p = reinterpret_cast<T*>(base + used);
    used += std::size_t(n) * sizeof(T);
    return p;
  }
};

template <typename A> INLINE A larger(A a, A b) { return a > b ? a : b; }
template <typename A> INLINE A smaller(A a, A b) { return a < b ? a : b; }
template <typename T> INLINE void clear(T* p, Long n) { std::memset(static_cast<void*>(p), 0, std::size_t(n) * sizeof(T)); }
template <typename T> INLINE void copy(T* to, const T* from, Long n) { std::memcpy(to, from, std::size_t(n) * sizeof(T)); }

}  // namespace

// The three partial derivatives of the trilinear form of one level (see filterbank.py), along whatever axis:
//
//   bands      low[w]  = Σ_t f[t] rows[t][w],  high[w] likewise with the other filter,
//   pairs      the adjoint: two samples from taps/2 coefficients of each band,
//   correlate  the gradient into the taps.
//
// `f` holds both filters, one behind the other, each from its last tap to its first, so that output i sees the places
// 2i + t of the extended signal. Vertically rows[t] are rows of an image, horizontally the even and the odd samples of
// one row in turn, each shifted by one more. Every sum runs over t from 0 on in a chain of its own, so that its value
// does not depend on which register, image or thread it stands in.
#pragma once
#include "vectors.h"

namespace {

template <typename R, int U> struct Registers {
  typedef R Register;
  static constexpr int count = U;
};

template <typename T, int W> struct Few {
  typedef T V __attribute__((vector_size(W * sizeof(T))));
};
// n < 2W.
template <typename T, int W, typename Part> INLINE void cover_few(Long n, Part part) {
  if constexpr (W < 2) {
    part(Registers<T, 1>{}, 0);
  } else {
    if (n < W) return cover_few<T, W / 2>(n, part);
    part(Registers<typename Few<T, W>::V, 1>{}, 0);
    if (n > W) part(Registers<typename Few<T, W>::V, 1>{}, n - W);
  }
}

// Calls part(Registers, w) until 0 ≤ w < n is covered. Where n is no multiple of a register the last one begins
// earlier: what is written twice is written alike.
template <typename T, typename Part> INLINE void cover(Long n, Part part) {
  Long w = 0;
  for (; w + 4 * K<T> <= n; w += 4 * K<T>) part(Registers<V<T>, 4>{}, w);
  if (w + 2 * K<T> <= n) part(Registers<V<T>, 2>{}, w), w += 2 * K<T>;
  if (w + K<T> <= n) part(Registers<V<T>, 1>{}, w), w += K<T>;
  if (w == n) return;
  if (n >= K<T>) part(Registers<V<T>, 1>{}, n - K<T>);
  else cover_few<T, K<T> / 2>(n, part);
}

template <typename T> void bands(const T* const* rows, int taps, Long n, const T* f, T* low, T* high) {
  cover<T>(n, [=](auto form, Long w) __attribute__((always_inline)) {
    using R = typename decltype(form)::Register;
    constexpr int U = decltype(form)::count, k = sizeof(R) / sizeof(T);
    R a[U] = {}, b[U] = {};
    for (int t = 0; t < taps; t++) {
      const T* row = rows[t] + w;
      R ft = all<R>(f[t]), gt = all<R>(f[taps + t]);
#pragma GCC unroll 4
      for (int u = 0; u < U; u++) {
        R x = load<R>(row + u * k);
        a[u] += ft * x;
        b[u] += gt * x;
      }
    }
#pragma GCC unroll 4
    for (int u = 0; u < U; u++) store(low + w + u * k, a[u]), store(high + w + u * k, b[u]);
  });
}

template <typename T>
void pairs(const T* const* low, const T* const* high, int taps, Long n, const T* f, T* first, T* second) {
  cover<T>(n, [=](auto form, Long w) __attribute__((always_inline)) {
    using R = typename decltype(form)::Register;
    constexpr int U = decltype(form)::count, k = sizeof(R) / sizeof(T);
    R a[U] = {}, b[U] = {};
    for (int q = 0; q < taps / 2; q++) {
      const T *l = low[q] + w, *h = high[q] + w;
      R f0 = all<R>(f[2 * q]), f1 = all<R>(f[2 * q + 1]), g0 = all<R>(f[taps + 2 * q]), g1 = all<R>(f[taps + 2 * q + 1]);
#pragma GCC unroll 4
      for (int u = 0; u < U; u++) {
        R x = load<R>(l + u * k), y = load<R>(h + u * k);
        a[u] += f0 * x;
        b[u] += f1 * x;
        a[u] += g0 * y;
        b[u] += g1 * y;
      }
    }
#pragma GCC unroll 4
    for (int u = 0; u < U; u++) store(first + w + u * k, a[u]), store(second + w + u * k, b[u]);
  });
}

// sums[t] += low · rows[t], sums[taps + t] += high · rows[t], lane by lane, over n columns up to the next whole
// register: there low and high are zero, and the rows finite.
template <typename T, int B>
INLINE void correlate_some(const T* const* rows, int t, int taps, Long n, const T* low, const T* high, V<T>* sums) {
  using R = V<T>;
  const T* row[B];
  R a[B], b[B];
#pragma GCC unroll 12
  for (int k = 0; k < B; k++) row[k] = rows[t + k], a[k] = sums[t + k], b[k] = sums[taps + t + k];
  for (Long w = 0; w < n; w += K<T>) {
    R l = load<R>(low + w), h = load<R>(high + w);
#pragma GCC unroll 12
    for (int k = 0; k < B; k++) {
      R x = load<R>(row[k] + w);
      a[k] += l * x;
      b[k] += h * x;
    }
  }
#pragma GCC unroll 12
  for (int k = 0; k < B; k++) sums[t + k] = a[k], sums[taps + t + k] = b[k];
}
// As many taps at once as there are registers for, so that low and high are seldom loaded.
template <typename T, int B>
INLINE void correlate_rest(const T* const* rows, int t, int taps, Long n, const T* low, const T* high, V<T>* sums) {
  if (taps - t == B) correlate_some<T, B>(rows, t, taps, n, low, high, sums);
  else if constexpr (B > 2) correlate_rest<T, B - 2>(rows, t, taps, n, low, high, sums);
}
template <typename T>
void correlate(const T* const* rows, int taps, Long n, const T* low, const T* high, V<T>* sums) {
  constexpr int most = AWD_BYTES == 64 ? 12 : 6;
  int t = 0;
  for (; t + most < taps; t += most) correlate_some<T, most>(rows, t, taps, n, low, high, sums);
  correlate_rest<T, most>(rows, t, taps, n, low, high, sums);
}
// Lane by lane into float64, where sums are kept; then from zero again.
template <typename T> void flush(V<T>* sums, int taps, double* total) {
  for (int t = 0; t < 2 * taps; t++) {
    total[t] += in_float64<T>(sums[t]);
    sums[t] = V<T>{};
  }
}

// --- a row of an image, or a signal -----------------------------------------------------------------------------------

// One axis of one level, as Python has made it: how places beyond the ends come of the samples, place by place, `before`
// to the left and `after` to the right. Number `size` stands for the slope x(1) − x(0), the next for that at the end.
struct Axis {
  std::int32_t size, outputs, taps, before, after, plain;
  const std::int32_t* start;
  const std::int32_t* index;
  const double* weight;
  int half() const { return taps / 2; }
  Long pairs() const { return outputs + half() - 1; }
  Long extended() const { return 2 * pairs(); }
  int beyond() const { return before + after; }
};

// Samples lie `stride` values apart. Sums are made in float64: a line that is followed over a long filter multiplies the
// rounding of its slope.
template <typename T> INLINE double sample(const T* x, Long stride, const Axis& a, int k) {
  if (k < a.size) return x[k * stride];
  const Long last = k == a.size ? 1 : a.size - 1;
  return double(x[last * stride]) - double(x[(last - 1) * stride]);
}
template <typename T> INLINE T value_beyond(const T* x, Long stride, const Axis& a, int e) {
  double sum = 0;
  for (int k = a.start[e]; k < a.start[e + 1]; k++) sum += a.weight[k] * sample(x, stride, a, a.index[k]);
  return T(sum);
}
INLINE bool repeats(const Axis& a, int e) { return a.start[e + 1] - a.start[e] == 1 && a.index[a.start[e]] < a.size; }
// line holds before | size | after.
template <typename T> INLINE void extend(T* line, const Axis& a) {
  T* x = line + a.before;
  T* right = x + a.size - a.before;
  if (a.plain) {
    for (int e = 0; e < a.before; e++) line[e] = T(a.weight[e]) * x[a.index[e]];
    for (int e = a.before; e < a.beyond(); e++) right[e] = T(a.weight[e]) * x[a.index[e]];
    return;
  }
  for (int e = 0; e < a.before; e++) line[e] = value_beyond(x, 1, a, e);
  for (int e = a.before; e < a.beyond(); e++) right[e] = value_beyond(x, 1, a, e);
}
template <typename T> INLINE void fold_value(T* x, const Axis& a, int e, T value) {
  for (int k = a.start[e]; k < a.start[e + 1]; k++) {
    T part = T(a.weight[k]) * value;
    if (a.index[k] < a.size) x[a.index[k]] += part;
    else if (a.index[k] == a.size) x[1] += part, x[0] -= part;
    else x[a.size - 1] += part, x[a.size - 2] -= part;
  }
}
template <typename T> INLINE void fold(T* line, const Axis& a) {
  T* x = line + a.before;
  for (int e = 0; e < a.beyond(); e++) fold_value(x, a, e, e < a.before ? line[e] : x[a.size + e - a.before]);
}

// --- rows of an image -------------------------------------------------------------------------------------------------

// A row that the extension refers to, times a weight, added to another.
template <typename T> INLINE void add_row(T* to, T weight, const T* from, Long n) {
  Long w = 0;
  for (; w + K<T> <= n; w += K<T>) store(to + w, load<V<T>>(to + w) + all<V<T>>(weight) * load<V<T>>(from + w));
  for (; w < n; w++) to[w] += weight * from[w];
}
// rows[before + r] is row r of the image, and before and behind these are those of the extension: rows of the image
// itself where it repeats them, else made in `room`, a row of `wide` values for each.
template <typename T>
void extended_rows(const T* x, Long stride, const Axis& v, Long n, T* room, Long wide, const T** rows) {
  for (int r = 0; r < v.size; r++) rows[v.before + r] = x + r * stride;
  for (int e = 0; e < v.beyond(); e++) {
    const T*& row = rows[e < v.before ? e : v.size + e];
    const int first = v.start[e];
    const T* repeated = repeats(v, e) ? x + v.index[first] * stride : nullptr;
    if (repeated && v.weight[first] == 1.0) {
      row = repeated;
      continue;
    }
    T* made = room + e * wide;
    clear(made, n);
    if (repeated) add_row(made, T(v.weight[first]), repeated, n);
    else if (v.start[e + 1] > first)
      for (Long w = 0; w < n; w++) made[w] = value_beyond(x + w, stride, v, e);
    row = made;
  }
}
// The adjoint: what stands in rows beyond the ends is added to those of the image.
template <typename T> void fold_rows(T* x, Long stride, const Axis& v, Long n, const T* room, Long wide) {
  for (int e = 0; e < v.beyond(); e++)
    for (int k = v.start[e]; k < v.start[e + 1]; k++) {
      T weight = T(v.weight[k]);
      const T* from = room + e * wide;
      if (v.index[k] < v.size) {
        add_row(x + v.index[k] * stride, weight, from, n);
        continue;
      }
      T* b = x + (v.index[k] == v.size ? 1 : v.size - 1) * stride;
      add_row(b, weight, from, n);
      add_row(b - stride, -weight, from, n);
    }
}
INLINE bool reaches_beyond(const Axis& a) { return a.start[a.beyond()] > a.start[0]; }

}  // namespace

// Long series, one at a time and a tile at a time, and short ones side by side, one in each lane of the registers.
#pragma once
#include "image.h"

namespace {

constexpr int SHORT = 128;  // samples below which series lie in lanes: a register of one short series is never full
constexpr Long TILE = 256;  // coefficients of a long series that are computed at a time
constexpr Long MOST_TERMS = 256;  // that are summed up in T, in a lane

INLINE bool lies_in_lanes(const Plan& p) { return p.h[0].size < SHORT; }

// --- long -------------------------------------------------------------------------------------------------------------

// n values of a row of `size` values from place `from` on, where `before` stands before its beginning, and `behind`
// behind its end; zeros where that is none.
template <typename T>
INLINE void window(T* to, const T* x, Long size, const T* before, const T* behind, Long from, Long n) {
  while (n > 0 && from < 0) *to++ = before ? before[from] : T(0), from++, n--;
  if (n > 0 && from < size) {
    Long inside = smaller(n, size - from);
    copy(to, x + from, inside);
    to += inside, from += inside, n -= inside;
  }
  while (n > 0) *to++ = behind ? behind[from - size] : T(0), from++, n--;
}

template <typename T> struct Signal {
  T *edges, *line, *even, *odd, *low, *high;
  const T **split, **low_at, **high_at;
  V<T>* sums;
  Long room, terms = 0;

  Signal(const Plan& p, Arena& arena) {
    const int taps = p.h[0].taps;
    Long beyond = 0;
    for (int l = 0; l < p.levels; l++) beyond = larger(beyond, Long(p.h[l].beyond()));
    edges = arena.take<T>(beyond);
    room = 2 * TILE + 2 * taps + 4 * K<T>;
    for (T** part : {&line, &even, &odd, &low, &high}) *part = arena.take<T>(room);
    for (const T*** part : {&split, &low_at, &high_at}) *part = arena.take<const T*>(taps);
    sums = arena.take<V<T>>(2 * taps);
    if (!arena.base) return;
    clear(sums, 2 * taps);
    const int pad = taps / 2 - 1;
    for (int t = 0; t < taps; t++) split[t] = (t % 2 ? odd : even) + t / 2;
    for (int q = 0; q < taps / 2; q++) low_at[q] = low + pad - q, high_at[q] = high + pad - q;
  }
  void find_edges(const T* x, const Axis& a) {
    for (int e = 0; e < a.beyond(); e++) edges[e] = value_beyond(x, 1, a, e);
  }
  INLINE void split_window(const T* x, const Axis& a, Long i, Long n) {
    const Long pairs = n + a.half() - 1;
    window(line, x, a.size, edges + a.before, edges + a.before, 2 * i - a.before, 2 * pairs);
    for (int k = 0; k < 2 * K<T>; k++) line[2 * pairs + k] = 0;
    deinterleave(line, pairs, even, odd);
    store(even + padded<T>(pairs), V<T>{});
    store(odd + padded<T>(pairs), V<T>{});
  }
  void analyse(const T* x, const Axis& a, const T* f, T* out_low, T* out_high) {
    find_edges(x, a);
    for (Long i = 0; i < a.outputs; i += TILE) {
      const Long n = smaller(TILE, a.outputs - i);
      split_window(x, a, i, n);
      bands<T>(split, a.taps, n, f, out_low + i, out_high + i);
    }
  }
  void adjoint(const T* in_low, const T* in_high, const Axis& a, const T* f, T* x) {
    const Long pad = a.half() - 1;
    for (Long m = 0; m < a.pairs(); m += TILE) {
      const Long n = smaller(TILE, a.pairs() - m);
      window<T>(low, in_low, a.outputs, nullptr, nullptr, m - pad, n + pad);
      window<T>(high, in_high, a.outputs, nullptr, nullptr, m - pad, n + pad);
      pairs<T>(low_at, high_at, a.taps, n, f, even, odd);
      interleave(even, odd, n, line);
      const Long place = 2 * m - a.before;
      const Long first = larger(Long(0), -place), last = smaller(2 * n, a.size - place);
      for (Long k = 0; k < smaller(first, 2 * n); k++) edges[place + k + a.before] = line[k];
      if (last > first) copy(x + place + first, line + first, last - first);
      for (Long k = larger(last, Long(0)); k < 2 * n; k++) edges[place + k - a.size + a.before] = line[k];
    }
    for (int e = 0; e < a.beyond(); e++) fold_value(x, a, e, edges[e]);
  }
  void gradient(const T* x, const T* in_low, const T* in_high, const Axis& a, double* total) {
    find_edges(x, a);
    for (Long i = 0; i < a.outputs; i += TILE) {
      const Long n = smaller(TILE, a.outputs - i);
      split_window(x, a, i, n);
      window<T>(low, in_low, a.outputs, nullptr, nullptr, i, n);
      window<T>(high, in_high, a.outputs, nullptr, nullptr, i, n);
      store(low + n, V<T>{});
      store(high + n, V<T>{});
      correlate<T>(split, a.taps, n, low, high, sums);
      count((n + K<T> - 1) / K<T>, a.taps, total);
    }
  }
  // So many terms more are in the sums, which become too many at some point; at the end of a block none may be left.
  INLINE void count(Long more, int taps, double* total) {
    terms += more;
    if (terms >= MOST_TERMS) settle(taps, total);
  }
  void settle(int taps, double* total) {
    flush<T>(sums, taps, total);
    terms = 0;
  }
};

// --- short ------------------------------------------------------------------------------------------------------------

// Rows of K values, a series in each lane.
template <typename T> INLINE T* lane_row(T* rows, Long r) { return rows + r * K<std::remove_const_t<T>>; }

template <typename T> INLINE void lane_add(T* row, V<T> part) { store(row, load<V<T>>(row) + part); }

template <typename T> void extend_lanes(T* y, const Axis& a) {
  T* x = lane_row(y, a.before);
  for (int e = 0; e < a.beyond(); e++) {
    T* row = lane_row(y, e < a.before ? e : a.size + e);
    if (repeats(a, e))
      store(row, all<V<T>>(T(a.weight[a.start[e]])) * load<V<T>>(lane_row(x, a.index[a.start[e]])));
    else
      for (int k = 0; k < K<T>; k++) row[k] = value_beyond(x + k, K<T>, a, e);
  }
}
template <typename T> void fold_lanes(T* y, const Axis& a) {
  T* x = lane_row(y, a.before);
  for (int e = 0; e < a.beyond(); e++) {
    V<T> value = load<V<T>>(lane_row(y, e < a.before ? e : a.size + e));
    for (int k = a.start[e]; k < a.start[e + 1]; k++) {
      V<T> part = all<V<T>>(T(a.weight[k])) * value;
      const int at = a.index[k] < a.size ? a.index[k] : a.index[k] == a.size ? 1 : a.size - 1;
      lane_add<T>(lane_row(x, at), part);
      if (a.index[k] >= a.size) lane_add<T>(lane_row(x, at - 1), -part);
    }
  }
}
// U coefficients of each band.
template <typename T, int U> INLINE void lane_bands(const T* y, const Axis& a, const T* f, T* low, T* high) {
  V<T> p[U] = {}, q[U] = {};
  for (int t = 0; t < a.taps; t++) {
    V<T> ft = all<V<T>>(f[t]), gt = all<V<T>>(f[a.taps + t]);
#pragma GCC unroll 4
    for (int u = 0; u < U; u++) {
      V<T> x = load<V<T>>(lane_row(y, 2 * u + t));
      p[u] += ft * x;
      q[u] += gt * x;
    }
  }
#pragma GCC unroll 4
  for (int u = 0; u < U; u++) store(lane_row(low, u), p[u]), store(lane_row(high, u), q[u]);
}
template <typename T> void analyse_lanes(T* y, const Axis& a, const T* f, T* low, T* high) {
  extend_lanes(y, a);
  Long i = 0;
  for (; i + 4 <= a.outputs; i += 4) lane_bands<T, 4>(lane_row(y, 2 * i), a, f, lane_row(low, i), lane_row(high, i));
  for (; i < a.outputs; i++) lane_bands<T, 1>(lane_row(y, 2 * i), a, f, lane_row(low, i), lane_row(high, i));
}
// low and high stand between taps/2 − 1 rows of zeros; y: before | size | after rows, of which the samples count.
template <typename T> void adjoint_lanes(const T* low, const T* high, const Axis& a, const T* f, T* y) {
  for (Long m = 0; m < a.pairs(); m++) {
    V<T> p = {}, q = {};
    for (int s = 0; s < a.half(); s++) {
      V<T> l = load<V<T>>(lane_row(low, m - s)), h = load<V<T>>(lane_row(high, m - s));
      p += all<V<T>>(f[2 * s]) * l;
      q += all<V<T>>(f[2 * s + 1]) * l;
      p += all<V<T>>(f[a.taps + 2 * s]) * h;
      q += all<V<T>>(f[a.taps + 2 * s + 1]) * h;
    }
    store(lane_row(y, 2 * m), p);
    store(lane_row(y, 2 * m + 1), q);
  }
  fold_lanes(y, a);
}
template <typename T, int B>
INLINE void gradient_some(const T* y, const T* low, const T* high, const Axis& a, int t, V<T>* sums) {
  V<T> p[B] = {}, q[B] = {};
  for (Long i = 0; i < a.outputs; i++) {
    V<T> l = load<V<T>>(lane_row(low, i)), h = load<V<T>>(lane_row(high, i));
#pragma GCC unroll 4
    for (int k = 0; k < B; k++) {
      V<T> x = load<V<T>>(lane_row(y, 2 * i + t + k));
      p[k] += l * x;
      q[k] += h * x;
    }
  }
#pragma GCC unroll 4
  for (int k = 0; k < B; k++) sums[t + k] += p[k], sums[a.taps + t + k] += q[k];
}
template <typename T> void gradient_lanes(const T* y, const T* low, const T* high, const Axis& a, V<T>* sums) {
  int t = 0;
  for (; t + 4 <= a.taps; t += 4) gradient_some<T, 4>(y, low, high, a, t, sums);
  if (t < a.taps) gradient_some<T, 2>(y, low, high, a, t, sums);
}

}  // namespace

// One level along the middle axis of (P, N, Q): Q columns side by side, a strip of them at a time, so that the rows that
// a coefficient needs stay in cache.
#pragma once
#include "image.h"

namespace {

constexpr Long STRIP = 1024;  // columns

template <typename T> struct Columns {
  const Axis& a;
  const Long lanes;
  Long wide;
  const T** rows;
  T *room, *last_rows, *low, *high, *trash;
  const T **low_at, **high_at;
  V<T>* sums;

  Columns(const Axis& axis, Long q, Arena& arena) : a(axis), lanes(q), wide(smaller(STRIP, padded<T>(q)) + K<T>) {
    rows = arena.take<const T*>(a.extended());
    room = arena.take<T>(a.beyond() * wide);
    last_rows = arena.take<T>(Long(a.size) * K<T>);
    for (T** part : {&low, &high}) *part = arena.take<T>(wide);
    trash = arena.take<T>(2 * wide);
    for (const T*** part : {&low_at, &high_at}) *part = arena.take<const T*>(a.half());
    sums = arena.take<V<T>>(2 * a.taps);
    if (arena.base) clear(trash, 2 * wide);
  }
  void analyse(const T* x, const T* f, T* out_low, T* out_high, std::int64_t p) {
    x += p * a.size * lanes;
    out_low += p * a.outputs * lanes;
    out_high += p * a.outputs * lanes;
    for (Long w = 0; w < lanes; w += STRIP) {
      const Long n = smaller(STRIP, lanes - w);
      extended_rows(x + w, lanes, a, n, room, wide, rows);
      for (int i = 0; i < a.outputs; i++)
        bands<T>(rows + 2 * i, a.taps, n, f, out_low + i * lanes + w, out_high + i * lanes + w);
    }
  }
  void adjoint(const T* in_low, const T* in_high, const T* f, T* x, std::int64_t p) {
    x += p * a.size * lanes;
    in_low += p * a.outputs * lanes;
    in_high += p * a.outputs * lanes;
    const bool beyond = reaches_beyond(a);
    for (Long w = 0; w < lanes; w += STRIP) {
      const Long n = smaller(STRIP, lanes - w);
      clear(low, wide);
      for (int m = 0; m < a.pairs(); m++) {
        T* to[2];
        for (int k = 0; k < 2; k++) {
          const int r = 2 * m + k - a.before;
          if (r >= 0 && r < a.size) to[k] = x + r * lanes + w;
          else to[k] = beyond ? room + (r < 0 ? r + a.before : r - a.size + a.before) * wide : trash + k * wide;
        }
        for (int q = 0; q < a.half(); q++) {
          const int r = m - q;
          const bool there = r >= 0 && r < a.outputs;
          low_at[q] = there ? in_low + r * lanes + w : low;
          high_at[q] = there ? in_high + r * lanes + w : low;
        }
        pairs<T>(low_at, high_at, a.taps, n, f, to[0], to[1]);
      }
      if (beyond) fold_rows(x + w, lanes, a, n, room, wide);
    }
  }
  void gradient(const T* x, const T* in_low, const T* in_high, std::int64_t p, double* total) {
    x += p * a.size * lanes;
    in_low += p * a.outputs * lanes;
    in_high += p * a.outputs * lanes;
    for (int t = 0; t < 2 * a.taps; t++) sums[t] = V<T>{};
    const Long whole = lanes / K<T> * K<T>;
    for (Long w = 0; w < whole; w += STRIP) {
      const Long n = smaller(STRIP, whole - w);
      extended_rows(x + w, lanes, a, n, room, wide, rows);
      for (int i = 0; i < a.outputs; i++) {
        correlate<T>(rows + 2 * i, a.taps, n, in_low + i * lanes + w, in_high + i * lanes + w, sums);
        if (i % FLUSHED == FLUSHED - 1 || i == a.outputs - 1) flush<T>(sums, a.taps, total);
      }
    }
    if (whole == lanes) return;
    const Long n = lanes - whole;
    for (Long r = 0; r < a.size; r++) {
      store(last_rows + r * K<T>, V<T>{});
      copy(last_rows + r * K<T>, x + r * lanes + whole, n);
    }
    extended_rows<T>(last_rows, K<T>, a, K<T>, room, wide, rows);
    store(low, V<T>{});
    store(high, V<T>{});
    for (int i = 0; i < a.outputs; i++) {
      copy(low, in_low + i * lanes + whole, n);
      copy(high, in_high + i * lanes + whole, n);
      correlate<T>(rows + 2 * i, a.taps, n, low, high, sums);
      if (i % FLUSHED == FLUSHED - 1 || i == a.outputs - 1) flush<T>(sums, a.taps, total);
    }
  }
};

}  // namespace

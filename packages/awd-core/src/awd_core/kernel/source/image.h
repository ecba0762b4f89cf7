// One level of an image's transform, and its adjoint and gradient.
//
// A row of coefficients needs `taps` rows of the image: they are filtered down the columns into two lines, and each of
// these is extended, split into its even and odd samples, and filtered. Backwards it is the same in reverse order, with
// the lines of the last taps/2 rows of coefficients kept in a ring, from which two rows of the image follow.
#pragma once
#include "passes.h"

namespace {

struct Plan {
  std::int32_t levels;
  const Axis* v;  // down the columns, from the finest level on; not there for series
  const Axis* h;  // along the rows
};

template <typename T> struct Rows {
  T* data;
  Long stride;
  T* row(Long r) const { return data + r * stride; }
};

// Σ|s| and the largest |s|.
template <typename T> struct Measure {
  V<T> sum = {}, peak = {};
  double norm = 0;
  INLINE void add(V<T> s) {
    V<T> a = absolute<T>(s);
    sum += a;
    peak = a > peak ? a : peak;
  }
  INLINE void add(const T* row, Long n) {
    for (Long w = 0; w < n; w += K<T>) add(load<V<T>>(row + w));
  }
  void flush() {
    norm += in_float64<T>(sum);
    sum = V<T>{};
  }
};
// How large a coefficient is that is nothing but rounding (see l1_norm.py), from the largest one and the sum of all. A
// coefficient that is not finite makes no other one zero.
template <typename T> struct Rounding {
  T part, least;
  T floor(const Measure<T>& measure) const {
    T largest = 0;
    for (int k = 0; k < K<T>; k++) largest = larger(largest, T(measure.peak[k]));
    return measure.norm == measure.norm && largest - largest == 0 ? larger(part * largest, least) : least;
  }
};
// The derivative of |s|: zero below the floor, and no number where s is none.
template <typename T> INLINE V<T> slope(V<T> s, V<T> floor) {
  V<T> one = all<V<T>>(T(1)), zero = {};
  V<T> sign = s >= floor ? one : (s <= -floor ? -one : zero);
  return s == s ? sign : s;
}

constexpr int FLUSHED = 16;  // rows of coefficients whose sums are kept in T

// Bands aa, ad, da, dd of a level, the first letter being that of the columns. Of those that are `marked` the slopes
// are meant.
template <typename T> struct Bands {
  Rows<T> band[4];
  bool marked[4];
};

template <typename T> struct Level {
  Long wide = 0, line = 0;  // values of a row, and of an extended row, with what may be read behind
  int ringed = 1;
  Long zeros_behind = 0;  // that a row of coefficients needs
  const T** rows;
  T *room, *edges, *trash, *lines[2], *even[2], *odd[2], *low, *high, *even_pairs, *odd_pairs;
  const T **split[2], **low_at, **high_at, **ring_low, **ring_high;
  T** ring[2];
  V<T>*sums_v, *sums_h;

  Level(const Plan& p, Arena& arena) {
    Long tall = 0, beyond = 0;
    int taps = 2;
    for (int l = 0; l < p.levels; l++) {
      const Axis &v = p.v[l], &h = p.h[l];
      tall = larger(tall, Long(v.size) + v.beyond());
      beyond = larger(beyond, Long(v.beyond()));
      wide = larger(wide, padded<T>(h.size) + K<T>);
      line = larger(line, padded<T>(2 * padded<T>(h.pairs()) + 2 * h.taps + 4 * K<T>));
      taps = larger(taps, int(larger(v.taps, h.taps)));
      ringed = larger(ringed, v.half());
    }
    rows = arena.take<const T*>(tall);
    room = arena.take<T>(beyond * wide);
    edges = arena.take<T>(beyond * wide);
    trash = arena.take<T>(2 * wide);
    for (int c = 0; c < 2; c++) {
      lines[c] = arena.take<T>(line, p.h[0].before);
      even[c] = arena.take<T>(line);
      odd[c] = arena.take<T>(line);
      split[c] = arena.take<const T*>(taps);
      ring[c] = arena.take<T*>(ringed);
    }
    for (T** part : {&low, &high}) *part = arena.take<T>(line, p.h[0].half() - 1);
    for (T** part : {&even_pairs, &odd_pairs}) *part = arena.take<T>(line);
    for (const T*** part : {&low_at, &high_at, &ring_low, &ring_high}) *part = arena.take<const T*>(taps);
    sums_v = arena.take<V<T>>(2 * taps);
    sums_h = arena.take<V<T>>(2 * taps);
    // The samples of all lines begin at whole registers; `before` is the same at all levels.
    T* held = arena.take<T>(2 * ringed * line, p.h[0].before);
    if (!arena.base) return;
    for (int c = 0; c < 2; c++) {
      for (int t = 0; t < taps; t++) split[c][t] = (t % 2 ? odd : even)[c] + t / 2;
      for (int k = 0; k < ringed; k++) ring[c][k] = held + (c * ringed + k) * line;
    }
  }

  // What lies behind the samples of a line is read, though it does not count: no numbers of other images.
  void begin() {
    for (int c = 0; c < 2; c++) {
      for (T* part : {lines[c], even[c], odd[c]}) clear(part, line);
      for (int k = 0; k < ringed; k++) clear(ring[c][k], line);
    }
    clear(low, line);
    clear(high, line);
  }

  INLINE void split_lines(const T* const* seen, const Axis& v, const Axis& h, const T* fv) {
    bands<T>(seen, v.taps, h.size, fv, lines[0] + h.before, lines[1] + h.before);
    for (int c = 0; c < 2; c++) {
      extend(lines[c], h);
      deinterleave(lines[c], h.pairs(), even[c], odd[c]);
    }
  }

  // With `measure`, zeros are put behind every row, up to a whole register, and the marked bands are measured.
  void analyse(Rows<const T> x, const Axis& v, const Axis& h, const T* fv, const T* fh, const Bands<T>& out,
               Measure<T>* measure) {
    for (int c = 0; c < 2; c++) clear(lines[c], line);
    extended_rows(x.data, x.stride, v, h.size, room, wide, rows);
    for (int i = 0; i < v.outputs; i++) {
      split_lines(rows + 2 * i, v, h, fv);
      for (int c = 0; c < 2; c++)
        bands<T>(split[c], h.taps, h.outputs, fh, out.band[2 * c].row(i), out.band[2 * c + 1].row(i));
      if (!measure) continue;
      for (int c = 0; c < 4; c++) {
        T* row = out.band[c].row(i);
        store(row + h.outputs, V<T>{});
        if (out.marked[c]) measure->add(row, h.outputs);
      }
      if (i % FLUSHED == FLUSHED - 1 || i == v.outputs - 1) measure->flush();
    }
  }

  // Coefficients of one row, or their slopes, between zeros.
  INLINE void take(const Bands<const T>& s, int c, Long r, Long n, V<T> floor, T* to) {
    const T* row = s.band[c].row(r);
    if (s.marked[c])
      for (Long w = 0; w < n; w += K<T>) store(to + w, slope<T>(load<V<T>>(row + w), floor));
    else
      copy(to, row, n);
    for (Long w = n; w < padded<T>(n) + zeros_behind; w += K<T>) store(to + w, V<T>{});
  }

  // The adjoint of a level into x, if x is there, and the gradient into the taps from the level's input `seen`, if that
  // is there: its rows are the image's own, or finite, up to whole registers.
  void back(const Bands<const T>& s, T floor, const Axis& v, const Axis& h, const T* fv, const T* fh, Rows<T> x,
            Rows<const T> seen, double* gradient_v, double* gradient_h) {
    begin();
    const int half = v.half();
    const Long pad = h.half() - 1;
    const bool beyond = x.data && reaches_beyond(v);
    zeros_behind = h.half();
    if (beyond) clear(edges, v.beyond() * wide);
    if (seen.data) {
      extended_rows(seen.data, seen.stride, v, padded<T>(h.size), room, wide, rows);
      for (int t = 0; t < 2 * v.taps; t++) sums_v[t] = V<T>{};
      for (int t = 0; t < 2 * h.taps; t++) sums_h[t] = V<T>{};
    }
    for (int q = 0; q < h.half(); q++) low_at[q] = low + pad - q, high_at[q] = high + pad - q;
    for (int m = 0; m < (x.data ? v.pairs() : v.outputs); m++) {
      const int at = m % half;
      if (m < v.outputs) {
        if (seen.data) split_lines(rows + 2 * m, v, h, fv);
        for (int c = 0; c < 2; c++) {
          take(s, 2 * c, m, h.outputs, all<V<T>>(floor), low + pad);
          take(s, 2 * c + 1, m, h.outputs, all<V<T>>(floor), high + pad);
          T* found = ring[c][at];
          pairs<T>(low_at, high_at, h.taps, h.pairs(), fh, even_pairs, odd_pairs);
          interleave(even_pairs, odd_pairs, h.pairs(), found);
          fold(found, h);
          store(found + h.before + h.size, V<T>{});
          if (seen.data) correlate<T>(split[c], h.taps, h.outputs, low + pad, high + pad, sums_h);
        }
        if (seen.data) {
          correlate<T>(rows + 2 * m, v.taps, h.size, ring[0][at] + h.before, ring[1][at] + h.before, sums_v);
          if (m % FLUSHED == FLUSHED - 1 || m == v.outputs - 1)
            flush<T>(sums_v, v.taps, gradient_v), flush<T>(sums_h, h.taps, gradient_h);
        }
      } else {
        clear(ring[0][at], line);
        clear(ring[1][at], line);
      }
      if (!x.data) continue;
      T* to[2];
      for (int p = 0; p < 2; p++) {
        const int r = 2 * m + p - v.before;
        if (r >= 0 && r < v.size) to[p] = x.row(r);
        else to[p] = beyond ? edges + (r < 0 ? r + v.before : r - v.size + v.before) * wide : trash + p * wide;
      }
      if (to[0] == trash && to[1] == trash + wide) continue;
      for (int q = 0; q < half; q++) {
        const int k = (at + half - q) % half;
        ring_low[q] = ring[0][k] + h.before;
        ring_high[q] = ring[1][k] + h.before;
      }
      pairs<T>(ring_low, ring_high, v.taps, h.size, fv, to[0], to[1]);
    }
    if (beyond) fold_rows(x.data, x.stride, v, h.size, edges, wide);
  }
};

// --- all levels -------------------------------------------------------------------------------------------------------

constexpr int MOST_LEVELS = 32;

// Bands of all images one after the other: details of the finest level (ad, da, dd) first, the last approximation last.
template <typename T> INLINE Bands<T> bands_of(T* const* bands, const Plan& p, int l, std::int64_t image, Rows<T> between) {
  const Long tall = p.v[l].outputs, wide = p.h[l].outputs;
  const bool last = l == p.levels - 1;
  Bands<T> found = {{}, {last, true, true, true}};
  found.band[0] = last ? Rows<T>{bands[3 * p.levels] + image * tall * wide, wide} : between;
  for (int c = 1; c < 4; c++) found.band[c] = {bands[3 * l + c - 1] + image * tall * wide, wide};
  return found;
}

template <typename T> struct ImageTransform {
  const Plan& p;
  Level<T> level;
  Long wide;
  T* between[2];

  ImageTransform(const Plan& plan, Arena& arena) : p(plan), level(plan, arena) {
    Long tall = 0;
    wide = 0;
    for (int l = 0; l + 1 < p.levels; l++) {
      wide = larger(wide, padded<T>(p.h[l].outputs));
      tall = larger(tall, Long(p.v[l].outputs));
    }
    for (T*& part : between) part = arena.take<T>(tall * wide + K<T>);
  }
  void forward(const T* x, const T* fv, const T* fh, T* const* out, std::int64_t image) {
    Rows<const T> from = {x + image * p.v[0].size * p.h[0].size, p.h[0].size};
    for (int l = 0; l < p.levels; l++) {
      Bands<T> to = bands_of<T>(out, p, l, image, {between[l % 2], wide});
      level.analyse(from, p.v[l], p.h[l], fv, fh, to, nullptr);
      from = {to.band[0].data, to.band[0].stride};
    }
  }
  void inverse(T* x, const T* fv, const T* fh, const T* const* in, std::int64_t image) {
    for (int l = p.levels - 1; l >= 0; l--) {
      Bands<const T> from = bands_of<const T>(in, p, l, image, {between[(l + 1) % 2], wide});
      for (bool& marked : from.marked) marked = false;
      Rows<T> to = {between[l % 2], wide};
      if (l == 0) to = {x + image * p.v[0].size * p.h[0].size, p.h[0].size};
      level.back(from, T(0), p.v[l], p.h[l], fv, fh, to, {nullptr, 0}, nullptr, nullptr);
    }
  }
};

// Σ|s| of an image and its gradient into the taps of both axes, all of its coefficients staying in scratch memory.
template <typename T> struct ImageNorm {
  const Plan& p;
  Level<T> level;
  T* first;  // the image with zeros behind its rows, where they do not fill whole registers
  Bands<T> held[MOST_LEVELS];
  Rows<T> slopes[2];

  ImageNorm(const Plan& plan, Arena& arena) : p(plan), level(plan, arena) {
    first = arena.take<T>(p.v[0].size * padded<T>(p.h[0].size) + K<T>);
    Long tall = 0, wide = 0;
    for (int l = 0; l < p.levels; l++) {
      const Long high = p.v[l].outputs, across = padded<T>(p.h[l].outputs);
      for (int c = 0; c < 4; c++) {
        held[l].band[c] = {arena.take<T>(high * across + K<T>), across};
        held[l].marked[c] = c > 0 || l == p.levels - 1;
      }
      tall = larger(tall, high);
      wide = larger(wide, across);
    }
    for (Rows<T>& part : slopes) part = {arena.take<T>(tall * wide + K<T>), wide};
  }
  // All levels, of which all bands are measured; `seen` are the levels' inputs.
  void forward(const T* x, const T* fv, const T* fh, std::int64_t image, Rows<const T>* seen, Measure<T>* measure) {
    const Long tall = p.v[0].size, across = p.h[0].size, whole = padded<T>(across);
    seen[0] = {x + image * tall * across, across};
    if (whole != across) {
      for (Long r = 0; r < tall; r++) {
        store(first + (r + 1) * whole - K<T>, V<T>{});
        copy(first + r * whole, seen[0].row(r), across);
      }
      seen[0] = {first, whole};
    }
    for (int l = 0; l < p.levels; l++) {
      if (l) seen[l] = {held[l - 1].band[0].data, held[l - 1].band[0].stride};
      level.analyse(seen[l], p.v[l], p.h[l], fv, fh, held[l], measure);
    }
  }
  void add(const T* x, const T* fv, const T* fh, Rounding<T> rounding, std::int64_t image, double* sums) {
    Rows<const T> seen[MOST_LEVELS];
    Measure<T> measure;
    forward(x, fv, fh, image, seen, &measure);
    sums[0] += measure.norm;
    double *gradient_v = sums + 1, *gradient_h = gradient_v + 2 * p.v[0].taps;
    for (int l = p.levels - 1; l >= 0; l--) {
      Bands<const T> s;
      for (int c = 0; c < 4; c++) {
        s.band[c] = {held[l].band[c].data, held[l].band[c].stride};
        s.marked[c] = held[l].marked[c];
      }
      if (l + 1 < p.levels) s.band[0] = {slopes[(l + 1) % 2].data, slopes[(l + 1) % 2].stride};
      Rows<T> to = {l ? slopes[l % 2].data : nullptr, slopes[l % 2].stride};
      level.back(s, rounding.floor(measure), p.v[l], p.h[l], fv, fh, to, seen[l], gradient_v, gradient_h);
    }
  }
  // From derivatives with respect to all bands those with respect to the image, if dx is there, and to the taps.
  void backward(const T* x, const T* fv, const T* fh, const T* const* slope_of, T* dx, std::int64_t image,
                double* sums) {
    Rows<const T> seen[MOST_LEVELS];
    Measure<T> measure;
    forward(x, fv, fh, image, seen, &measure);
    for (int l = p.levels - 1; l >= 0; l--) {
      const Rows<T>& coarse = slopes[(l + 1) % 2];
      Bands<const T> s = bands_of<const T>(slope_of, p, l, image, {coarse.data, coarse.stride});
      for (bool& marked : s.marked) marked = false;
      Rows<T> to = slopes[l % 2];
      if (l == 0) to = {dx ? dx + image * p.v[0].size * p.h[0].size : nullptr, p.h[0].size};
      level.back(s, T(0), p.v[l], p.h[l], fv, fh, to, seen[l], sums, sums + 2 * p.v[0].taps);
    }
  }
};

}  // namespace

// Whole transforms of series, `first` to `last` of them. Where they lie in lanes K of them go together, and what comes
// of each does not depend on which these are.
#pragma once
#include "signal.h"

namespace {

// A level's input and both bands in lanes, the bands between zeros.
template <typename T> struct LaneLevel {
  T *y, *low, *high;
  void take(const Axis& a, Arena& arena) {
    y = arena.take<T>(a.extended() * K<T>);
    for (T** part : {&low, &high}) {
      T* with_zeros = arena.take<T>((a.outputs + 2 * a.half()) * K<T>);
      *part = with_zeros + (a.half() - 1) * K<T>;
      if (!arena.base) continue;
      clear(with_zeros, (a.half() - 1) * K<T>);
      clear(lane_row(*part, a.outputs), (a.half() + 1) * K<T>);
    }
  }
};

template <typename T> struct Series {
  const Plan& p;
  const bool lanes;
  const Long size;
  Signal<T> signal;
  LaneLevel<T> level[MOST_LEVELS];
  T *kept[MOST_LEVELS + 1], *details[MOST_LEVELS], *spare[2];

  Series(const Plan& plan, Arena& arena)
      : p(plan), lanes(lies_in_lanes(plan)), size(plan.h[0].size), signal(plan, arena) {
    Long longest = size;
    for (int l = 0; l < p.levels; l++) longest = larger(longest, larger(Long(p.h[l].outputs), p.h[l].extended()));
    for (T*& part : spare) part = arena.take<T>(lanes ? longest * K<T> : longest + K<T>);
    for (int l = 0; l < p.levels; l++) {
      if (lanes) level[l].take(p.h[l], arena);
      if (lanes) continue;
      kept[l + 1] = arena.take<T>(p.h[l].outputs + K<T>);
      details[l] = arena.take<T>(p.h[l].outputs + K<T>);
    }
  }
  bool is_last(int l) const { return l == p.levels - 1; }

  void forward(const T* x, const T* f, T* const* out, std::int64_t first, std::int64_t last) {
    if (lanes)
      for (; first < last; first += K<T>) lanes_forward(x, f, out, first, int(smaller<std::int64_t>(K<T>, last - first)));
    for (; first < last; first++) {
      const T* from = x + first * size;
      for (int l = 0; l < p.levels; l++) {
        const Axis& a = p.h[l];
        T* low = is_last(l) ? out[l + 1] + first * a.outputs : spare[l % 2];
        signal.analyse(from, a, f, low, out[l] + first * a.outputs);
        from = low;
      }
    }
  }
  void inverse(T* x, const T* f, const T* const* in, std::int64_t first, std::int64_t last) {
    if (lanes)
      for (; first < last; first += K<T>) lanes_inverse(x, f, in, first, int(smaller<std::int64_t>(K<T>, last - first)));
    for (; first < last; first++) {
      const T* low = in[p.levels] + first * p.h[p.levels - 1].outputs;
      for (int l = p.levels - 1; l >= 0; l--) {
        T* to = l ? spare[l % 2] : x + first * size;
        signal.adjoint(low, in[l] + first * p.h[l].outputs, p.h[l], f, to);
        low = to;
      }
    }
  }
  // Σ⟨bands, analysis⟩'s gradient into the taps, for one level.
  void gradient(const T* x, const T* low, const T* high, std::int64_t first, std::int64_t last, double* total) {
    const Axis& a = p.h[0];
    for (; lanes && first < last; first += K<T>) {
      const int count = int(smaller<std::int64_t>(K<T>, last - first));
      LaneLevel<T>& in = level[0];
      into_lanes(x + first * size, size, count, size, lane_row(in.y, a.before));
      extend_lanes(in.y, a);
      into_lanes(low + first * a.outputs, a.outputs, count, a.outputs, in.low);
      into_lanes(high + first * a.outputs, a.outputs, count, a.outputs, in.high);
      gradient_lanes(in.y, in.low, in.high, a, signal.sums);
      signal.count(a.outputs, a.taps, total);
    }
    for (; first < last; first++)
      signal.gradient(x + first * size, low + first * a.outputs, high + first * a.outputs, a, total);
    signal.settle(a.taps, total);
  }
  // Σ|s| into total[0], and behind it its gradient into the taps.
  void norm(const T* x, const T* f, Rounding<T> rounding, std::int64_t first, std::int64_t last, double* total) {
    if (lanes)
      for (; first < last; first += K<T>)
        lanes_norm(x, f, rounding, first, int(smaller<std::int64_t>(K<T>, last - first)), total);
    for (; first < last; first++) signal_norm(x + first * size, f, rounding, total);
    signal.settle(p.h[0].taps, total + 1);
  }

  // From derivatives with respect to all bands those with respect to the series, if dx is there, and to the taps.
  void backward(const T* x, const T* f, const T* const* slope_of, T* dx, std::int64_t first, std::int64_t last,
                double* total) {
    for (; lanes && first < last; first += K<T>)
      lanes_backward(x, f, slope_of, dx, first, int(smaller<std::int64_t>(K<T>, last - first)), total);
    for (; first < last; first++) {
      const auto of = [&](int l) { return l ? static_cast<const T*>(kept[l]) : x + first * size; };
      for (int l = 0; l < p.levels; l++) signal.analyse(of(l), p.h[l], f, kept[l + 1], details[l]);
      const T* low = slope_of[p.levels] + first * p.h[p.levels - 1].outputs;
      for (int l = p.levels - 1; l >= 0; l--) {
        const T* high = slope_of[l] + first * p.h[l].outputs;
        signal.gradient(of(l), low, high, p.h[l], total);
        if (!l && !dx) break;
        T* to = l ? spare[l % 2] : dx + first * size;
        signal.adjoint(low, high, p.h[l], f, to);
        low = to;
      }
    }
    signal.settle(p.h[0].taps, total);
  }

  void lanes_forward(const T* x, const T* f, T* const* out, std::int64_t first, int count) {
    into_lanes(x + first * size, size, count, size, lane_row(level[0].y, p.h[0].before));
    for (int l = 0; l < p.levels; l++) {
      const Axis& a = p.h[l];
      T* low = is_last(l) ? level[l].low : lane_row(level[l + 1].y, p.h[l + 1].before);
      analyse_lanes(level[l].y, a, f, low, level[l].high);
      if (!out) continue;
      out_of_lanes(level[l].high, count, a.outputs, out[l] + first * a.outputs, a.outputs);
      if (is_last(l)) out_of_lanes(low, count, a.outputs, out[l + 1] + first * a.outputs, a.outputs);
    }
  }
  void lanes_inverse(T* x, const T* f, const T* const* in, std::int64_t first, int count) {
    for (int l = p.levels - 1; l >= 0; l--) {
      const Axis& a = p.h[l];
      if (is_last(l)) into_lanes(in[l + 1] + first * a.outputs, a.outputs, count, a.outputs, level[l].low);
      into_lanes(in[l] + first * a.outputs, a.outputs, count, a.outputs, level[l].high);
      adjoint_lanes(level[l].low, level[l].high, a, f, level[l].y);
      const T* samples = lane_row(level[l].y, a.before);
      if (l) copy(level[l - 1].low, samples, a.size * K<T>);
      else out_of_lanes(samples, count, size, x + first * size, size);
    }
  }
  void lanes_norm(const T* x, const T* f, Rounding<T> rounding, std::int64_t first, int count, double* total) {
    lanes_forward(x, f, nullptr, first, count);
    V<T> sum = {}, peak = {}, zero = {}, least = all<V<T>>(rounding.least);
    each_band([&](T* rows, Long n) {
      for (Long i = 0; i < n; i++) {
        V<T> s = absolute<T>(load<V<T>>(lane_row(rows, i)));
        sum += s;
        peak = s > peak ? s : peak;
      }
    });
    V<T> floor = all<V<T>>(rounding.part) * peak;
    floor = floor > least ? floor : least;
    floor = ((sum == sum) & (peak - peak == zero)) ? floor : least;
    each_band([&](T* rows, Long n) {
      for (Long i = 0; i < n; i++) store(lane_row(rows, i), slope<T>(load<V<T>>(lane_row(rows, i)), floor));
    });
    lanes_back(f, total + 1, false);
    total[0] += in_float64<T>(sum);
  }
  void lanes_backward(const T* x, const T* f, const T* const* slope_of, T* dx, std::int64_t first, int count,
                      double* total) {
    lanes_forward(x, f, nullptr, first, count);
    int l = 0;
    each_band([&](T* rows, Long n) { into_lanes(slope_of[l++] + first * n, n, count, n, rows); });
    lanes_back(f, total, dx != nullptr);
    if (dx) out_of_lanes(lane_row(spare[0], p.h[0].before), count, size, dx + first * size, size);
  }
  // From slopes in the place of all bands the gradient into the taps and, in spare[0], into the samples.
  void lanes_back(const T* f, double* total, bool samples) {
    for (int l = p.levels - 1; l >= 0; l--) {
      const Axis& a = p.h[l];
      gradient_lanes(level[l].y, level[l].low, level[l].high, a, signal.sums);
      signal.count(a.outputs, a.taps, total);
      if (!l && !samples) break;
      adjoint_lanes(level[l].low, level[l].high, a, f, spare[0]);
      if (l) copy(level[l - 1].low, lane_row(spare[0], a.before), a.size * K<T>);
    }
  }
  template <typename Do> INLINE void each_band(Do act) {
    for (int l = 0; l < p.levels; l++) act(level[l].high, p.h[l].outputs);
    act(level[p.levels - 1].low, p.h[p.levels - 1].outputs);
  }
  void signal_norm(const T* x, const T* f, Rounding<T> rounding, double* total) {
    Measure<T> measure;
    const auto of = [&](int l) { return l ? static_cast<const T*>(kept[l]) : x; };
    const auto add = [&](T* band, Long n) {
      store(band + n, V<T>{});
      for (Long i = 0; i < n; i += 16 * TILE) measure.add(band + i, smaller(16 * TILE, n - i)), measure.flush();
    };
    for (int l = 0; l < p.levels; l++) {
      signal.analyse(of(l), p.h[l], f, kept[l + 1], details[l]);
      add(details[l], p.h[l].outputs);
    }
    T* coarse = kept[p.levels];
    add(coarse, p.h[p.levels - 1].outputs);
    const V<T> floor = all<V<T>>(rounding.floor(measure));
    const auto slopes = [&](T* band, Long n) {
      for (Long i = 0; i < n; i += K<T>) store(band + i, slope<T>(load<V<T>>(band + i), floor));
    };
    for (int l = 0; l < p.levels; l++) slopes(details[l], p.h[l].outputs);
    slopes(coarse, p.h[p.levels - 1].outputs);
    total[0] += measure.norm;
    const T* low = coarse;
    for (int l = p.levels - 1; l >= 0; l--) {
      signal.gradient(of(l), low, details[l], p.h[l], total + 1);
      if (!l) break;
      signal.adjoint(low, details[l], p.h[l], f, spare[l % 2]);
      low = spare[l % 2];
    }
  }
};

}  // namespace

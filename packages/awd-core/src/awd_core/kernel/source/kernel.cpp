// The C interface, compiled once for each set of instructions: AWD_SET is its name, which every function's ends with.
// What a call computes is images, series, or blocks of them, from `first` up to `last`; calls for different ones may run
// at once, each with scratch memory of its own, of so many bytes as `scratch` says, on any address.
#include "columns.h"
#include "series.h"

namespace {

enum Work { TRANSFORM, NORM, LEVEL };

template <typename T> std::int64_t scratch(int work, const Plan& p, std::int64_t lanes) {
  Arena arena{0};
  if (work == LEVEL && lanes > 1) Columns<T>(p.h[0], lanes, arena);
  else if (!p.v) Series<T>(p, arena);
  else if (work == NORM) ImageNorm<T>(p, arena);
  else ImageTransform<T>(p, arena);
  return std::int64_t(arena.used) + 128;
}
INLINE Arena arena_at(void* memory) { return {(reinterpret_cast<std::uintptr_t>(memory) + 63) & ~std::uintptr_t(63)}; }

template <typename T>
void forward(const Plan& p, const T* x, const T* fv, const T* fh, T* const* out, std::int64_t first, std::int64_t last,
             void* memory) {
  Arena arena = arena_at(memory);
  if (!p.v) return Series<T>(p, arena).forward(x, fh, out, first, last);
  ImageTransform<T> image(p, arena);
  for (; first < last; first++) image.forward(x, fv, fh, out, first);
}
template <typename T>
void inverse(const Plan& p, T* x, const T* fv, const T* fh, const T* const* in, std::int64_t first, std::int64_t last,
             void* memory) {
  Arena arena = arena_at(memory);
  if (!p.v) return Series<T>(p, arena).inverse(x, fh, in, first, last);
  ImageTransform<T> image(p, arena);
  for (; first < last; first++) image.inverse(x, fv, fh, in, first);
}
// Blocks of `each` images or series, of `count` in all; a row of `wide` sums for each block.
template <typename T>
void norm(const Plan& p, const T* x, const T* fv, const T* fh, const double* rounding, std::int64_t count,
          std::int64_t each, double* sums, std::int64_t wide, std::int64_t first, std::int64_t last, void* memory) {
  Arena arena = arena_at(memory);
  const Rounding<T> zero = {T(rounding[0]), T(rounding[1])};
  for (; first < last; first++) {
    Arena fresh = arena;
    const std::int64_t from = first * each, to = smaller(from + each, count);
    if (!p.v) {
      Series<T>(p, fresh).norm(x, fh, zero, from, to, sums + first * wide);
      continue;
    }
    ImageNorm<T> image(p, fresh);
    for (std::int64_t i = from; i < to; i++) image.add(x, fv, fh, zero, i, sums + first * wide);
  }
}
template <typename T>
void backward(const Plan& p, const T* x, const T* fv, const T* fh, const T* const* slopes, T* dx, std::int64_t count,
              std::int64_t each, double* sums, std::int64_t wide, std::int64_t first, std::int64_t last, void* memory) {
  Arena arena = arena_at(memory);
  for (; first < last; first++) {
    Arena fresh = arena;
    const std::int64_t from = first * each, to = smaller(from + each, count);
    if (!p.v) {
      Series<T>(p, fresh).backward(x, fh, slopes, dx, from, to, sums + first * wide);
      continue;
    }
    ImageNorm<T> image(p, fresh);
    for (std::int64_t i = from; i < to; i++) image.backward(x, fv, fh, slopes, dx, i, sums + first * wide);
  }
}
template <typename T>
void analyse(const Plan& p, std::int64_t lanes, const T* x, const T* f, T* low, T* high, std::int64_t first,
             std::int64_t last, void* memory) {
  Arena arena = arena_at(memory);
  if (lanes == 1) {
    T* const out[] = {high, low};
    return Series<T>(p, arena).forward(x, f, out, first, last);
  }
  Columns<T> columns(p.h[0], lanes, arena);
  for (; first < last; first++) columns.analyse(x, f, low, high, first);
}
template <typename T>
void adjoint(const Plan& p, std::int64_t lanes, const T* low, const T* high, const T* f, T* x, std::int64_t first,
             std::int64_t last, void* memory) {
  Arena arena = arena_at(memory);
  if (lanes == 1) {
    const T* const in[] = {high, low};
    return Series<T>(p, arena).inverse(x, f, in, first, last);
  }
  Columns<T> columns(p.h[0], lanes, arena);
  for (; first < last; first++) columns.adjoint(low, high, f, x, first);
}
template <typename T>
void gradient(const Plan& p, std::int64_t lanes, const T* x, const T* low, const T* high, std::int64_t count,
              std::int64_t each, double* sums, std::int64_t wide, std::int64_t first, std::int64_t last, void* memory) {
  Arena arena = arena_at(memory);
  for (; first < last; first++) {
    Arena fresh = arena;
    const std::int64_t from = first * each, to = smaller(from + each, count);
    if (lanes == 1) {
      Series<T>(p, fresh).gradient(x, low, high, from, to, sums + first * wide);
      continue;
    }
    Columns<T> columns(p.h[0], lanes, fresh);
    for (std::int64_t i = from; i < to; i++) columns.gradient(x, low, high, i, sums + first * wide);
  }
}

}  // namespace

#define JOINED(name, type, set) awd_##name##_##type##_##set
#define NAMED(name, type, set) JOINED(name, type, set)
#define INTERFACE(T, type)                                                                                             \
  extern "C" std::int64_t NAMED(scratch, type, AWD_SET)(int work, const Plan* p, std::int64_t lanes) {                 \
    return scratch<T>(work, *p, lanes);                                                                                \
  }                                                                                                                    \
  extern "C" void NAMED(forward, type, AWD_SET)(const Plan* p, const T* x, const T* fv, const T* fh, T* const* out,    \
                                                std::int64_t first, std::int64_t last, void* memory) {                 \
    forward<T>(*p, x, fv, fh, out, first, last, memory);                                                               \
  }                                                                                                                    \
  extern "C" void NAMED(inverse, type, AWD_SET)(const Plan* p, T* x, const T* fv, const T* fh, const T* const* in,     \
                                                std::int64_t first, std::int64_t last, void* memory) {                 \
    inverse<T>(*p, x, fv, fh, in, first, last, memory);                                                                \
  }                                                                                                                    \
  extern "C" void NAMED(norm, type, AWD_SET)(const Plan* p, const T* x, const T* fv, const T* fh,                      \
                                             const double* rounding, std::int64_t count, std::int64_t each,            \
                                             double* sums, std::int64_t wide, std::int64_t first, std::int64_t last,   \
                                             void* memory) {                                                           \
    norm<T>(*p, x, fv, fh, rounding, count, each, sums, wide, first, last, memory);                                    \
  }                                                                                                                    \
  extern "C" void NAMED(backward, type, AWD_SET)(                                                                      \
      const Plan* p, const T* x, const T* fv, const T* fh, const T* const* slopes, T* dx, std::int64_t count,          \
      std::int64_t each, double* sums, std::int64_t wide, std::int64_t first, std::int64_t last, void* memory) {       \
    backward<T>(*p, x, fv, fh, slopes, dx, count, each, sums, wide, first, last, memory);                              \
  }                                                                                                                    \
  extern "C" void NAMED(analyse, type, AWD_SET)(const Plan* p, std::int64_t lanes, const T* x, const T* f, T* low,     \
                                                T* high, std::int64_t first, std::int64_t last, void* memory) {        \
    analyse<T>(*p, lanes, x, f, low, high, first, last, memory);                                                       \
  }                                                                                                                    \
  extern "C" void NAMED(adjoint, type, AWD_SET)(const Plan* p, std::int64_t lanes, const T* low, const T* high,        \
                                                const T* f, T* x, std::int64_t first, std::int64_t last,               \
                                                void* memory) {                                                        \
    adjoint<T>(*p, lanes, low, high, f, x, first, last, memory);                                                       \
  }                                                                                                                    \
  extern "C" void NAMED(gradient, type, AWD_SET)(const Plan* p, std::int64_t lanes, const T* x, const T* low,          \
                                                 const T* high, std::int64_t count, std::int64_t each, double* sums,   \
                                                 std::int64_t wide, std::int64_t first, std::int64_t last,             \
                                                 void* memory) {                                                       \
    gradient<T>(*p, lanes, x, low, high, count, each, sums, wide, first, last, memory);                                \
  }
INTERFACE(float, f32)
INTERFACE(double, f64)

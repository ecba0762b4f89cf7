// Which sets of instructions this processor has, of those that the library is compiled for: the best one first.
extern "C" const char* awd_instruction_sets() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
  return avx512 ? "avx512 avx2 sse2" : avx2 ? "avx2 sse2" : "sse2";
#elif defined(__aarch64__)
  return "neon";
#else
  return "plain";
#endif
}
// The text that the library was compiled from, by its checksum: another text's library is not used.
extern "C" const char* awd_source() { return AWD_SOURCE; }

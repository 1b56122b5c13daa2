// LibTorch as a contender: one thread, memory kept by the allocator, and its BLAS measured, too.
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <dlfcn.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "torch_side.hpp"

namespace {

using namespace versus;

/// A function of the BLAS that LibTorch has loaded, or null.
template <class F>
F* loaded(const char* name) {
  return reinterpret_cast<F*>(dlsym(RTLD_DEFAULT, name));
}

std::string blas() {
  const auto config = loaded<char*()>("openblas_get_config"), core = loaded<char*()>("openblas_get_corename");
  if (!config || !core) return "a BLAS that is not OpenBLAS (the reference's is slow: apt-get install libopenblas0)";
  const std::string text = config();
  return text.substr(0, text.find(' ', text.find(' ') + 1)) + " for " + core();
}

std::string describe() {
  const std::string config = at::show_config(), key = "CPU capability usage: ";
  const std::size_t at = config.find(key) + key.size();
  return "LibTorch " TORCH_VERSION " with " + config.substr(at, config.find('\n', at) - at) + " kernels, " + blas();
}

/// "sgemm N": GFLOP/s of a product of two N x N matrices.
std::vector<std::pair<std::string, double>> limits() {
  using Sgemm = void(const char*, const char*, const int*, const int*, const int*, const float*, const float*,
                     const int*, const float*, const int*, const float*, float*, const int*);
  std::vector<std::pair<std::string, double>> all;
  const auto sgemm = loaded<Sgemm>("sgemm_");
  if (!sgemm) return all;
  for (const int n : {64, 256, 1024}) {
    const std::vector<float> a(std::size_t(n * n), 0.5f);
    std::vector<float> c(a);
    const float one = 1, zero = 0;
    const double rate =
        best_rate([&] { sgemm("N", "N", &n, &n, &n, &one, a.data(), &n, a.data(), &n, &zero, c.data(), &n); });
    all.emplace_back("sgemm_" + std::to_string(n), 2e-9 * double(n) * n * n * rate);
  }
  return all;
}

std::vector<Candidate> candidates(const Task& task) {
  switch (task.row.kind) {
    case Kind::policy:
    case Kind::constant_policy:
    case Kind::embedded_policy:
    case Kind::constant_mlp:
    case Kind::mlp: return torch_policies(task);
    case Kind::extend: return torch_extend(task);
    default: return torch_layers(task);
  }
}

}  // namespace

int main() {
#ifdef __GLIBC__
  // Otherwise each large tensor is fresh pages from the system, up to 2.5 times slower.
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, 2000000000);
  mallopt(M_TOP_PAD, 256 << 20);
#endif
  at::set_num_threads(1);
  at::set_num_interop_threads(1);
  return serve({describe, limits, candidates});
}

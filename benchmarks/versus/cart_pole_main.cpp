// Cart-pole by REINFORCE, heed against LibTorch: in turns, each trains fresh agents from the same weights for as many
// steps of the environment.
//   sh benchmarks/run.sh versus_cart_pole [--filter POLICY] [--rounds N] [--steps N]
// Its contenders lie beside it: versus_cart_pole_{native,plain,torch}.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

/// What a contender says of one round.
struct Round {
  double rate, acting, learning, mean_return;
};
using Rounds = std::vector<Round>;

struct Contender {
  std::string program, settings;

  Round run(const std::string& task) const {
    const std::string command = "OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 " + settings + " '" + program + "' " + task;
    FILE* const answer = popen(command.c_str(), "r");
    Round r{};
    const bool read =
        answer && std::fscanf(answer, "%lf %lf %lf %lf", &r.rate, &r.acting, &r.learning, &r.mean_return) == 4;
    if (!answer || pclose(answer) != 0 || !read) throw std::runtime_error("this failed: " + command);
    return r;
  }
};

double median(std::vector<double> all) {
  std::sort(all.begin(), all.end());
  return (all[(all.size() - 1) / 2] + all[all.size() / 2]) / 2;
}
double median(const Rounds& rounds, double Round::*number) {
  std::vector<double> all;
  for (const Round& r : rounds) all.push_back(r.*number);
  return median(all);
}

std::string ratio(const Rounds& ours, const Rounds& theirs) {
  std::vector<double> all;
  for (std::size_t i = 0; i < ours.size(); ++i) all.push_back(ours[i].rate / theirs[i].rate);
  const auto [least, most] = std::minmax_element(all.begin(), all.end());
  char text[64];
  std::snprintf(text, sizeof text, "%.1f (%.1f to %.1f)", median(all), *least, *most);
  return text;
}

/// heed compiled for this processor and for any of its kind, then LibTorch with each of its settings.
std::vector<Contender> contenders(const std::string& here) {
  std::vector<Contender> all = {{here + "native", ""}, {here + "plain", ""}, {here + "torch", ""}};
#if defined(__x86_64__)
  // By themselves LibTorch 1.13 does not use AVX-512, nor does OpenBLAS on a processor newer than itself.
  if (__builtin_cpu_supports("avx512dq"))
    for (const char* settings : {"OPENBLAS_CORETYPE=SkylakeX", "OPENBLAS_CORETYPE=SkylakeX ATEN_CPU_CAPABILITY=avx512"})
      all.push_back({here + "torch", settings});
#endif
  return all;
}

void compare(const std::vector<Contender>& all, const std::string& policy, long episodes, long rounds, long steps) {
  std::vector<Rounds> results(all.size());
  for (long seed = 1; seed <= rounds; ++seed)
    for (std::size_t i = 0; i < all.size(); ++i)
      results[i].push_back(all[i].run(policy + " " + std::to_string(episodes) + " " + std::to_string(seed) + " " +
                                      std::to_string(steps)));
  const Rounds &native = results[0], &plain = results[1];
  const Rounds& theirs = *std::max_element(results.begin() + 2, results.end(), [](const Rounds& a, const Rounds& b) {
    return median(a, &Round::rate) < median(b, &Round::rate);
  });
  std::printf("| %s | %ld | %.0f | %.0f | %.0f | %s | %s |", policy.c_str(), episodes, median(native, &Round::rate),
              median(plain, &Round::rate), median(theirs, &Round::rate), ratio(native, theirs).c_str(),
              ratio(plain, theirs).c_str());
  for (const Rounds* r : {&native, &theirs})
    std::printf(" %.2f + %.2f | %.0f |", median(*r, &Round::acting), median(*r, &Round::learning),
                median(*r, &Round::mean_return));
  std::printf("\n");
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) try {
  std::string filter;
  long rounds = 5, steps = 400'000;
  for (int i = 1; i < argc; i += 2) {
    const std::string option = argv[i], value = i + 1 < argc ? argv[i + 1] : "";
    if (option == "--filter" && !value.empty())
      filter = value;
    else if ((option == "--rounds" || option == "--steps") && std::atol(value.c_str()) > 0)
      (option == "--rounds" ? rounds : steps) = std::atol(value.c_str());
    else
      throw std::runtime_error("versus_cart_pole [--filter POLICY] [--rounds N] [--steps N]");
  }
  const auto all = contenders(std::string(argv[0]) + "_");
  std::printf(
      "Cart-pole by REINFORCE, heed with and without -march=native against the fastest of LibTorch's settings: steps "
      "of the\n"
      "environment a second of processor time, acting and learning; medians of %ld rounds of %ld steps (a quarter "
      "where\n"
      "episodes are played one by one), and the ratios' spread. Then, of trained policies, microseconds a step of\n"
      "acting + learning, and the mean return.\n\n"
      "| policy | episodes at once | heed | heed, plain | LibTorch | ratio | ratio, plain "
      "| heed, microseconds | return | LibTorch, microseconds | return |\n"
      "|---|---|---|---|---|---|---|---|---|---|---|\n",
      rounds, steps);
  for (const long episodes : {16, 1})
    for (const std::string policy : {"mlp", "attention"})
      if (policy.find(filter) != std::string::npos)
        compare(all, policy, episodes, rounds, episodes == 1 ? steps / 4 : steps);
  return 0;
} catch (const std::exception& e) { return std::fprintf(stderr, "%s\n", e.what()), 1; }

// heed against LibTorch, taking turns within one run, and against what the machine can do at most.
//   sh benchmarks/run.sh versus [--filter TEXT] [--rounds N]
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "table.hpp"

namespace {

using namespace versus;

/// What /proc/cpuinfo says first of a key; empty where there is no such file.
std::string cpu(const std::string& key) {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.rfind(key, 0) == 0 && line.find(": ") != std::string::npos) return line.substr(line.find(": ") + 2);
  return {};
}
bool has_avx512() {
  std::istringstream flags(cpu("flags"));
  int found = 0;
  for (std::string flag; flags >> flag;)
    found += flag == "avx512f" || flag == "avx512bw" || flag == "avx512dq" || flag == "avx512vl";
  return found == 4;
}

/// LibTorch with each of the kernels that it and its BLAS have for this processor: by themselves, LibTorch 1.13 does not
/// use AVX-512, and a BLAS older than the processor may not know that it could.
std::vector<std::unique_ptr<Peer>> torch_peers(const std::string& program) {
  const Peer::Settings one = {{"OMP_NUM_THREADS", "1"}, {"OPENBLAS_NUM_THREADS", "1"}};
  std::vector<std::unique_ptr<Peer>> all;
  if (!std::filesystem::exists(program)) return all;
  const auto add = [&](const char* name, Peer::Settings settings) {
    settings.insert(settings.end(), one.begin(), one.end());
    all.push_back(std::make_unique<Peer>(name, program, settings));
  };
  add("as it comes", {});
  if (!has_avx512()) return all;
  add("AVX-512 BLAS", {{"OPENBLAS_CORETYPE", "SkylakeX"}});
  add("AVX-512", {{"OPENBLAS_CORETYPE", "SkylakeX"}, {"ATEN_CPU_CAPABILITY", "avx512"}});
  return all;
}

std::map<std::string, double> measured(Peer& peer) {
  std::map<std::string, double> all;
  for (const std::string& line : peer.ask("limits")) {
    const std::size_t space = line.find(' ');
    all[line.substr(0, space)] = std::stod(line.substr(space + 1));
  }
  return all;
}

/// The machine and the programs, line by line; the limits are those of the native build.
Limits introduce(Peer& native, Peer& plain, const std::vector<std::unique_ptr<Peer>>& torch) {
  const std::string model = cpu("model name");
  std::printf(
      "%s%s, one thread, float. Processor time, medians ± half the distance of the\n"
      "quartiles.\n\n",
      model.empty() ? "An unnamed processor" : model.c_str(), has_avx512() ? " with AVX-512" : "");
  auto best = measured(native);
  for (Peer* peer : {&native, &plain}) {
    auto of = peer == &native ? best : measured(*peer);
    std::printf("- %s: %s. Multiply-adds in registers %.0f GFLOP/s, exponentials %.1f a nanosecond\n",
                peer->name.c_str(), peer->ask("describe").at(0).c_str(), of["multiply_adds"], of["exponentials"]);
  }
  for (const auto& peer : torch) {
    auto of = measured(*peer);
    std::printf("- LibTorch, %s: %s; sgemm %.0f GFLOP/s at 64, %.0f at 256, %.0f at 1,024\n", peer->name.c_str(),
                peer->ask("describe").at(0).c_str(), of["sgemm_64"], of["sgemm_256"], of["sgemm_1024"]);
  }
  if (torch.empty()) std::printf("- LibTorch was not found (apt-get install libtorch-dev libopenblas0)\n");
  std::printf("\n");
  return {2e-9 / best["multiply_adds"], 1e-9 / best["exponentials"]};
}

}  // namespace

int main(int argc, char** argv) try {
  std::string filter;
  int rounds = 21;
  for (int i = 1; i < argc; i += 2) {
    if (i + 1 < argc && std::strcmp(argv[i], "--filter") == 0)
      filter = argv[i + 1];
    else if (i + 1 < argc && std::strcmp(argv[i], "--rounds") == 0)
      rounds = std::max(std::atoi(argv[i + 1]), 1);
    else
      throw std::runtime_error("versus [--filter TEXT] [--rounds N]");
  }
  const std::string directory = std::filesystem::path(argv[0]).parent_path().string() + "/versus_";
  Peer native("heed", directory + "heed_native", {}), plain("heed without -march=native", directory + "heed_plain", {});
  const auto torch = torch_peers(directory + "torch");
  const Limits limits = introduce(native, plain, torch);
  std::vector<Peer*> peers;
  for (const auto& peer : torch) peers.push_back(peer.get());
  Duel duel(native, plain, peers);
  duel.rounds = rounds;
  print_head();
  for (std::size_t i = 0; i < tasks().size(); ++i)
    if (name(tasks()[i]).find(filter) != std::string::npos) print_row(duel.run(i), limits);
  return 0;
} catch (const std::exception& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}

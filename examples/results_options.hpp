#pragma once
#include <filesystem>
#include <string>
#include <vector>

struct ResultsOptions {
  std::vector<std::string> tasks;               // none: all
  std::filesystem::path from = HEED_RESULTS;    // the configurations
  std::filesystem::path out = "build/results";  // where curves and the table go
  unsigned long seeds = 5, first_seed = 1;
  long steps = 0;          // 0: as the configuration says
  unsigned long jobs = 0;  // 0: one a core
};

ResultsOptions read_results_options(int argc, char** argv);

#pragma once
#include <cstdint>
#include <string>

struct Options {
  std::string policy = "attention";  // attention, transformer or mlp
  std::uint64_t seed = 1;
  long episodes = 1500;  // to train at most
  std::string save, load;
  bool quiet = false;
};

/// Reads the options; on a bad one, or on --help, says so and ends the program.
Options read_options(int argc, char** argv);

#pragma once
#include <filesystem>
#include <string>
#include <vector>

struct CurvesOptions {
  std::vector<std::filesystem::path> files;
  std::filesystem::path out = "build/curves.svg";
  std::string x, y, title;  // columns; empty: the first, the last
};

/// Reads the options; on a bad one, or on --help, says so and ends the program.
CurvesOptions read_curves_options(int argc, char** argv);

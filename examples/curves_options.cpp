#include "curves_options.hpp"

#include <CLI/CLI.hpp>
#include <cstdlib>

CurvesOptions read_curves_options(int argc, char** argv) {
  CurvesOptions options;
  CLI::App app{"Draws learning curves, mean and standard error over seeds, from CSV files as an SVG.", "curves"};
  app.add_option("files", options.files, "NAME_SEED.csv; those of a name are a curve")->required();
  app.add_option("--out", options.out, "the picture")->capture_default_str();
  app.add_option("--x", options.x, "column; none: the first");
  app.add_option("--y", options.y, "column; none: the last");
  app.add_option("--title", options.title, "of the picture");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) { std::exit(app.exit(error)); }
  return options;
}

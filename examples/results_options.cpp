#include "results_options.hpp"

#include <CLI/CLI.hpp>

ResultsOptions read_results_options(int argc, char** argv) {
  ResultsOptions options;
  CLI::App app("Trains and evaluates what the README's table of results shows");
  app.add_option("tasks", options.tasks, "which of examples/results/*.json; none: all");
  app.add_option("--from", options.from, "directory of configurations")->capture_default_str();
  app.add_option("--out", options.out, "directory of curves (CSV) and table (Markdown)")->capture_default_str();
  app.add_option("--seeds", options.seeds, "how many")->capture_default_str()->check(CLI::PositiveNumber);
  app.add_option("--first-seed", options.first_seed, "those from 1000 up are for tuning")->capture_default_str();
  app.add_option("--steps", options.steps, "of each training, instead of what the configuration says");
  app.add_option("--jobs", options.jobs, "trainings at a time; 0: one a core");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) { std::exit(app.exit(error)); }
  return options;
}

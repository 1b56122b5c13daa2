#include "cart_pole_options.hpp"

#include <CLI/CLI.hpp>
#include <cstdlib>

Options read_options(int argc, char** argv) {
  Options options;
  CLI::App app{"Trains a policy to balance a pole on a cart, and shows how well it does.", "cart_pole"};
  app.add_option("--policy", options.policy, "kind of policy")
      ->check(CLI::IsMember({"attention", "transformer", "mlp"}))
      ->capture_default_str();
  app.add_option("--seed", options.seed, "of the weights and the episodes")->capture_default_str();
  app.add_option("--episodes", options.episodes, "to train at most")->check(CLI::PositiveNumber)->capture_default_str();
  const auto save = app.add_option("--save", options.save, "file to write the trained policy to");
  app.add_option("--load", options.load, "file to read a policy from; evaluates it and does not train")->excludes(save);
  app.add_flag("--quiet", options.quiet, "only the result");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) { std::exit(app.exit(error)); }
  return options;
}

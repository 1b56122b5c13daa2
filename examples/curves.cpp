// Learning curves: mean and standard error over the seeds, from the CSV files that a training wrote. Files that differ in a
// last number alone, such as cart_pole_attention_1.csv and cart_pole_attention_2.csv, are the seeds of one curve.
//
//   sh examples/run.sh results --seeds 3 cart_pole && sh examples/run.sh curves build/results/cart_pole_*.csv
#include "curves_options.hpp"

#include <cstdio>
#include <exception>
#include <heed/io/curve_file.hpp>
#include <heed/pictures/curve_svg.hpp>
#include <heed/pictures/save_picture.hpp>
#include <map>

namespace {

/// NAME of NAME_SEED.csv.
std::string name_of(const std::filesystem::path& file) {
  const std::string stem = file.stem().string();
  const std::size_t name = stem.find_last_not_of("0123456789");
  return name == stem.npos || name == 0 || stem[name] != '_' ? stem : stem.substr(0, name);
}

void draw(CurvesOptions options) {
  std::map<std::string, std::vector<heed::SeedCurve>> seeds;
  for (const auto& file : options.files) {
    const heed::CurveTable table = heed::read_curve(file);
    if (options.x.empty()) options.x = table.columns.front();
    if (options.y.empty()) options.y = table.columns.back();
    seeds[name_of(file)].push_back({table[options.x], table[options.y]});
  }
  std::vector<heed::Curve> curves;
  for (const auto& [name, all] : seeds) {
    curves.push_back(heed::mean_curve(name, all));
    std::printf("%s: %zu seeds, at %s %g: %s %g ± %g\n", name.c_str(), all.size(), options.x.c_str(),
                curves.back().x.back(), options.y.c_str(), curves.back().mean.back(), curves.back().error.back());
  }
  if (options.out.has_parent_path()) std::filesystem::create_directories(options.out.parent_path());
  heed::save_picture(options.out, heed::curve_svg(curves, {.title = options.title, .x = options.x, .y = options.y}));
  std::printf("%s\n", options.out.string().c_str());
}

}  // namespace

int main(int argc, char** argv) {
  const CurvesOptions options = read_curves_options(argc, argv);
  try {
    draw(options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "curves: %s\n", error.what());
    return 1;
  }
}

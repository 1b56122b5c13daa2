#pragma once
#include <vector>

#include "heed/core/scope.hpp"

/// A matrix that decays, a vector that does not, statistics (22 to 25) that are not trained, a frozen matrix (26 to 31)
/// and a matrix of several blocks; for each of the 3082 parameters whether it is trained and whether it decays.
struct OptimizerFixture {
  heed::Layout layout;
  std::vector<bool> trained, decays;
  Eigen::VectorXd p, g;

  OptimizerFixture() {
    const heed::Scope at(layout, layout.axis());
    at.weight<heed::Dynamic, heed::Dynamic>("w", {3, 5}, heed::zero());
    at.weight<heed::Dynamic>("b", {7}, heed::zero());
    at.weight<heed::Dynamic>("statistics", {4}, heed::zero(), {.trained = false, .decays = true});
    at.weight<heed::Dynamic, heed::Dynamic>("frozen", {2, 3}, heed::zero());
    layout.freeze("frozen");
    at.weight<heed::Dynamic, heed::Dynamic>("large", {50, 61}, heed::zero());
    for (const heed::Segment& s : layout.segments()) {
      trained.insert(trained.end(), std::size_t(s.size), s.use.learns());
      decays.insert(decays.end(), std::size_t(s.size), s.use.decays);
    }
    p = random(1);
    g = random(2);
  }
  Eigen::VectorXd random(std::uint64_t seed) const {
    heed::Random r(seed);
    Eigen::VectorXd x(layout.parameters());
    for (double& xi : x) xi = r.normal();
    return x;
  }
};

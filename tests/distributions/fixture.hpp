#pragma once
#include "catch.hpp"
#include "heed/core/random.hpp"
#include "heed/testing/gradient_check.hpp"

/// Columns of means and of log deviations, and a column to look at.
struct GaussianFixture {
  Eigen::MatrixXd mean, log_std;
  Eigen::VectorXd x;

  GaussianFixture(heed::Index size, heed::Index columns, heed::Index deviations, std::uint64_t seed)
      : mean(size, columns), log_std(size, deviations), x(size) {
    heed::Random random(seed);
    for (double& m : mean.reshaped()) m = 2 * random.normal();
    for (double& l : log_std.reshaped()) l = 0.7 * random.normal();
    for (double& xi : x) xi = 2 * random.normal();
  }

  /// That dmean and dlog_std are the slopes of f() in `mean` and `log_std`.
  template <class F>
  void check_slopes(const Eigen::MatrixXd& dmean, const Eigen::MatrixXd& dlog_std, F f, double epsilon = 1e-7) {
    const auto check = [&](Eigen::MatrixXd& values, const Eigen::MatrixXd& exact) {
      REQUIRE(exact.size() == values.size());
      for (heed::Index i = 0; i < values.size(); ++i) {
        CAPTURE(i);
        const double numeric = heed::testing::detail::central_difference(values.data()[i], f);
        CHECK(exact.data()[i] == Approx(numeric).epsilon(epsilon).margin(1e-9));
      }
    };
    check(mean, dmean);
    check(log_std, dlog_std);
  }
};

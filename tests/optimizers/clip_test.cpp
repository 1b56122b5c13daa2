#include "heed/optimizers/clip.hpp"

#include <limits>

#include "catch.hpp"

using heed::clip_norm;

TEST_CASE("clip_norm: a gradient that is too long is scaled as PyTorch does, and its norm before returned") {
  Eigen::Vector3d g(3, 0, -4);
  const Eigen::Vector3d before = g;
  CHECK(clip_norm(g, 1) == 5);
  CHECK((g - before / (5 + 1e-6)).norm() < 1e-15);
  CHECK(g.norm() <= 1);
}

TEST_CASE("clip_norm: a gradient that is short enough keeps its bits") {
  Eigen::VectorXf g(2);
  g << 0.3f, 0.4f;
  const Eigen::VectorXf before = g;
  CHECK(clip_norm(g, 0.6) == Approx(0.5));
  CHECK(g == before);
  CHECK(clip_norm(g, std::numeric_limits<double>::infinity()) == Approx(0.5));
  CHECK(g == before);
  Eigen::VectorXf zero = Eigen::VectorXf::Zero(4);
  CHECK(clip_norm(zero, 1) == 0);
  CHECK(zero.isZero(0));
  Eigen::VectorXf none(0);
  CHECK(clip_norm(none, 1) == 0);
}

TEST_CASE("clip_norm: to nothing") {
  Eigen::VectorXd g = Eigen::VectorXd::Ones(4);
  CHECK(clip_norm(g, 0) == 2);
  CHECK(g.isZero(0));
}

TEST_CASE("clip_norm: numbers whose squares are too large for a float") {
  Eigen::VectorXf g(2);
  g << 3e30f, -4e30f;
  CHECK(clip_norm(g, 1) == Approx(5e30));
  CHECK(g[0] == Approx(0.6));
  CHECK(g[1] == Approx(-0.8));
}

TEST_CASE("clip_norm: errors change nothing") {
  const double infinity = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  Eigen::VectorXd g = Eigen::VectorXd::Ones(5);
  g[3] = nan;
  CHECK_THROWS_WITH(clip_norm(g, 1), ContainsSubstring("clip_norm: the gradient's norm is nan"));
  CHECK(g.head(3) == Eigen::VectorXd::Ones(3));
  g[3] = -infinity;
  CHECK_THROWS_WITH(clip_norm(g, 1), ContainsSubstring("clip_norm: the gradient's norm is inf"));
  CHECK(g.head(3) == Eigen::VectorXd::Ones(3));
  g[3] = 1;
  CHECK_THROWS_WITH(clip_norm(g, -1), ContainsSubstring("clip_norm: max_norm -1 must not be negative"));
  CHECK_THROWS_WITH(clip_norm(g, nan), ContainsSubstring("max_norm nan"));
  CHECK(g == Eigen::VectorXd::Ones(5));
}

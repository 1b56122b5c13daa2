#include "heed/optimizers/sgd.hpp"

#include "catch.hpp"
#include "optimizers/fixture.hpp"

using heed::Dynamic;
using heed::Index;
using heed::Layout;
using heed::Scope;
using heed::Sgd;

TEST_CASE_METHOD(OptimizerFixture, "Sgd: several steps against the formula, number by number") {
  const double mu = GENERATE(0.0, 0.9), lambda = GENERATE(0.0, 0.1);
  const bool nesterov = GENERATE(false, true);
  if (nesterov && mu == 0) return;
  CAPTURE(mu, lambda, nesterov);
  Sgd<double> sgd(layout, {.learning_rate = 0.05, .momentum = mu, .weight_decay = lambda, .nesterov = nesterov});
  Eigen::VectorXd wanted = p, v = Eigen::VectorXd::Zero(p.size());
  for (int step = 0; step < 5; ++step) {
    sgd.config.learning_rate = 0.05 / (1 + step);
    g = random(std::uint64_t(10 + step));
    sgd.step(p, g);
    for (Index i = 0; i < p.size(); ++i) {
      if (!trained[std::size_t(i)]) continue;
      const double d = g[i] + (decays[std::size_t(i)] ? lambda * wanted[i] : 0);
      v[i] = mu * v[i] + d;
      wanted[i] -= 0.05 / (1 + step) * (nesterov ? d + mu * v[i] : v[i]);
    }
    REQUIRE((p - wanted).cwiseAbs().maxCoeff() < 1e-14);
  }
}

TEST_CASE("Sgd: two steps by hand") {
  Layout layout;
  Scope(layout, layout.axis()).weight<Dynamic, Dynamic>("w", {1, 1}, heed::zero());
  Sgd<float> sgd(layout, {.learning_rate = 0.5, .momentum = 0.5});
  Eigen::VectorXf p(1), g(1);
  p << 1;
  g << 2;
  sgd.step(p, g);  // v = 2
  CHECK(p[0] == 0);
  sgd.step(p, g);  // v = 3
  CHECK(p[0] == -1.5f);
}

TEST_CASE_METHOD(OptimizerFixture, "Sgd: untrained weights keep their bits, whatever their gradient") {
  Sgd<double> sgd(layout, {.learning_rate = 1, .momentum = 0.9, .weight_decay = 1});
  const Eigen::VectorXd before = p;
  g.segment(22, 10).setConstant(std::numeric_limits<double>::quiet_NaN());
  sgd.step(p, g);
  CHECK(p.segment(22, 10) == before.segment(22, 10));
  CHECK(p.allFinite());
  CHECK((p.array() != before.array()).count() == p.size() - 10);
}

TEST_CASE_METHOD(OptimizerFixture, "Sgd: from segments as from the layout") {
  Sgd<double> a(layout), b(layout.segments());
  Eigen::VectorXd q = p;
  a.step(p, g);
  b.step(q, g);
  CHECK(p == q);
}

TEST_CASE_METHOD(OptimizerFixture, "Sgd: finds the minimum of a quadratic") {
  const Eigen::VectorXd minimum = random(3);
  Sgd<double> sgd(layout, {.learning_rate = 0.02, .momentum = 0.9});
  Eigen::VectorXd curvature = Eigen::VectorXd::LinSpaced(p.size(), 0.5, 5);
  for (int step = 0; step < 1500; ++step) {
    g = curvature.cwiseProduct(p - minimum);
    sgd.step(p, g);
  }
  CHECK((p - minimum).head(22).norm() < 1e-6);
  CHECK((p - minimum).tail(3050).norm() < 1e-6);
}

TEST_CASE_METHOD(OptimizerFixture, "Sgd: errors change nothing") {
  Sgd<double> sgd(layout, {.momentum = 0.5});
  const Eigen::VectorXd before = p;
  Eigen::VectorXd small(3);
  CHECK_THROWS_WITH(sgd.step(small, g), ContainsSubstring("Sgd: p is 3 x 1, but 3082 x 1 is needed"));
  CHECK_THROWS_WITH(sgd.step(p, small), ContainsSubstring("Sgd: g is 3 x 1, but 3082 x 1 is needed"));
  sgd.config.learning_rate = -1;
  CHECK_THROWS_WITH(sgd.step(p, g), ContainsSubstring("Sgd: learning_rate -1 is not in [0, inf)"));
  sgd.config.learning_rate = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_WITH(sgd.step(p, g), ContainsSubstring("learning_rate nan"));
  CHECK(p == before);
  CHECK(sgd.v.isZero(0));

  using Config = Sgd<double>::Config;
  CHECK_THROWS_WITH(Sgd<double>(layout, Config{.momentum = 1}), ContainsSubstring("Sgd: momentum 1 is not in [0, 1)"));
  CHECK_THROWS_WITH(Sgd<double>(layout, Config{.weight_decay = -0.5}), ContainsSubstring("Sgd: weight_decay -0.5"));
  CHECK_THROWS_WITH(Sgd<double>(layout, Config{.nesterov = true}),
                    ContainsSubstring("nesterov needs a momentum above 0"));
  CHECK_THROWS_WITH(Sgd<double>(std::vector<heed::Segment>{{0, 3, {}}, {4, 2, {}}}),
                    ContainsSubstring("a segment of 2 parameters starts at 4, but the one before ends at 3"));
  Layout nameless(false);
  Scope(nameless, nameless.axis()).weight<Dynamic>("b", {5}, heed::zero());
  CHECK_THROWS_WITH(Sgd<double>(nameless),
                    ContainsSubstring("Sgd: the layout has 5 parameters but was made without names"));
}

#include "heed/optimizers/adam.hpp"

#include "catch.hpp"
#include "optimizers/fixture.hpp"

using heed::Adam;
using heed::Dynamic;
using heed::Index;
using heed::Layout;
using heed::Scope;

TEST_CASE_METHOD(OptimizerFixture, "Adam: several steps against the algorithm of the paper, number by number") {
  const double lambda = GENERATE(0.0, 0.1);
  const double epsilon = GENERATE(1e-8, 0.1);
  CAPTURE(lambda, epsilon);
  const double b1 = 0.8, b2 = 0.95;
  Adam<double> adam(layout, {.beta1 = b1, .beta2 = b2, .epsilon = epsilon, .weight_decay = lambda});
  Eigen::VectorXd wanted = p, m = Eigen::VectorXd::Zero(p.size()), v = m;
  for (int t = 1; t <= 6; ++t) {
    const double eta = adam.config.learning_rate = 0.05 / t;
    g = random(std::uint64_t(10 + t));
    adam.step(p, g);
    for (Index i = 0; i < p.size(); ++i) {
      if (!trained[std::size_t(i)]) continue;
      m[i] = b1 * m[i] + (1 - b1) * g[i];
      v[i] = b2 * v[i] + (1 - b2) * g[i] * g[i];
      const double m_hat = m[i] / (1 - std::pow(b1, t)), v_hat = v[i] / (1 - std::pow(b2, t));
      if (decays[std::size_t(i)]) wanted[i] -= eta * lambda * wanted[i];
      wanted[i] -= eta * m_hat / (std::sqrt(v_hat) + epsilon);
    }
    REQUIRE((p - wanted).cwiseAbs().maxCoeff() < 1e-14);
    REQUIRE((adam.m - m).cwiseAbs().maxCoeff() < 1e-15);
    REQUIRE((adam.v - v).cwiseAbs().maxCoeff() < 1e-14);
    REQUIRE(adam.t == t);
  }
}

TEST_CASE_METHOD(OptimizerFixture,
                 "Adam: the first step is the learning rate against the gradient's sign, whatever its size") {
  Adam<float> adam(layout, {.learning_rate = 0.01, .epsilon = 1e-30});
  Eigen::VectorXf q = Eigen::VectorXf::Zero(p.size()), h = 1e6f * g.cast<float>();
  h[0] *= 1e-9f;
  adam.step(q, h);
  for (Index i = 0; i < q.size(); ++i)
    if (trained[std::size_t(i)])
      CHECK(q[i] == Approx(h[i] > 0 ? -0.01 : 0.01).epsilon(1e-5));
    else
      CHECK(q[i] == 0);
}

TEST_CASE_METHOD(OptimizerFixture, "Adam: no gradient, no step, but weights decay") {
  Adam<double> adam(layout, {.learning_rate = 0.1, .weight_decay = 0.5});
  const Eigen::VectorXd before = p;
  g.setZero();
  adam.step(p, g);
  for (Index i = 0; i < p.size(); ++i) {
    const bool shrinks = trained[std::size_t(i)] && decays[std::size_t(i)];
    CHECK(p[i] == Approx(before[i] * (shrinks ? 0.95 : 1)).epsilon(1e-15));
  }
}

TEST_CASE_METHOD(OptimizerFixture, "Adam: untrained weights keep their bits, whatever their gradient") {
  Adam<double> adam(layout, {.learning_rate = 1, .weight_decay = 1});
  const Eigen::VectorXd before = p;
  g.segment(22, 10).setConstant(std::numeric_limits<double>::quiet_NaN());
  adam.step(p, g);
  CHECK(p.segment(22, 10) == before.segment(22, 10));
  CHECK(p.allFinite());
  CHECK((p.array() != before.array()).count() == p.size() - 10);
}

TEST_CASE_METHOD(OptimizerFixture, "Adam: a copy goes on alike") {
  Adam<double> a(layout);
  a.step(p, g);
  Adam<double> b = a;
  Eigen::VectorXd q = p;
  a.step(p, g);
  b.step(q, g);
  CHECK(p == q);
}

TEST_CASE_METHOD(OptimizerFixture, "Adam: finds the minimum of a quadratic whose curvatures are far apart") {
  const Eigen::VectorXd minimum = random(3);
  Adam<double> adam(layout, {.learning_rate = 0.1});
  Eigen::VectorXd curvature =
      Eigen::VectorXd::LinSpaced(p.size(), -2, 3).unaryExpr([](double x) { return std::pow(10, x); });
  for (int step = 0; step < 2000; ++step) {
    g = curvature.cwiseProduct(p - minimum);
    if (step % 200 == 199) adam.config.learning_rate *= 0.3;
    adam.step(p, g);
  }
  CHECK((p - minimum).head(22).cwiseAbs().maxCoeff() < 1e-4);
  CHECK((p - minimum).tail(3050).cwiseAbs().maxCoeff() < 1e-4);
}

TEST_CASE_METHOD(OptimizerFixture, "Adam: errors change nothing") {
  Adam<double> adam(layout);
  const Eigen::VectorXd before = p;
  Eigen::VectorXd small(3);
  CHECK_THROWS_WITH(adam.step(small, g), ContainsSubstring("Adam: p is 3 x 1, but 3082 x 1 is needed"));
  CHECK_THROWS_WITH(adam.step(p, small), ContainsSubstring("Adam: g is 3 x 1, but 3082 x 1 is needed"));
  adam.config.learning_rate = -1;
  CHECK_THROWS_WITH(adam.step(p, g), ContainsSubstring("Adam: learning_rate -1 is not in [0, inf)"));
  CHECK(p == before);
  CHECK(adam.t == 0);
  CHECK(adam.m.isZero(0));

  using Config = Adam<double>::Config;
  CHECK_THROWS_WITH(Adam<double>(layout, Config{.beta1 = 1}), ContainsSubstring("Adam: beta1 1 is not in [0, 1)"));
  CHECK_THROWS_WITH(Adam<double>(layout, Config{.beta2 = -0.1}),
                    ContainsSubstring("Adam: beta2 -0.1 is not in [0, 1)"));
  CHECK_THROWS_WITH(Adam<double>(layout, Config{.epsilon = -1e-8}), ContainsSubstring("Adam: epsilon -1e-08"));
  CHECK_THROWS_WITH(Adam<double>(layout, Config{.epsilon = 0}), ContainsSubstring("Adam: epsilon 0"));
  CHECK_THROWS_WITH(Adam<float>(layout, {.epsilon = 1e-60}), ContainsSubstring("Adam: epsilon 1e-60"));
  CHECK_THROWS_WITH(Adam<double>(layout, Config{.weight_decay = -1}), ContainsSubstring("Adam: weight_decay -1"));
  Layout nameless(false);
  Scope(nameless, nameless.axis()).weight<Dynamic>("b", {5}, heed::zero());
  CHECK_THROWS_WITH(Adam<double>(nameless),
                    ContainsSubstring("Adam: the layout has 5 parameters but was made without names"));
}

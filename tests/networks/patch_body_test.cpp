#include "heed/networks/patch_body.hpp"

#include "heed/core/agent.hpp"
#include "heed/networks/patch_policy.hpp"
#include "support.hpp"

using namespace heed;
using support::random;

namespace {

using Net = PatchPolicy<double>;

/// Two channels of 4 x 6 pixels, in patches of 2 x 3.
struct Case {
  Agent<Net> agent;
  Activations<double> a;

  explicit Case(Net::Config config = {}) : agent(completed(config), 3), a(agent.layout) {
    agent.p.flat += random<double>(agent.p.flat.size(), 1, 4, 0.2);
  }
  static Net::Config completed(Net::Config config) {
    config.actions = 3;
    config.channels = 2;
    config.image = {4, 6};
    config.patch = {2, 3};
    config.width = 4, config.heads = 2, config.inner = 5;
    return config;
  }
  Tokens<double> forward(const Tokens<double>& x) {
    agent.net.forward(agent.p, x, a);
    Tokens<double> y(4, x.cols());
    y << a[agent.net.logits], a[agent.net.value];
    return y;
  }
};

const Sequences ragged{3, 0, 1, 2};

}  // namespace

TEST_CASE("patch body: gradients") {
  for (const Index layers : {1, 2}) {
    Case c({.layers = layers, .value = true});
    c.a.begin(c.agent.time, ragged);
    for (const double size : {1.0, 0.0}) {
      Tokens<double> x = random<double>(48, 6, 5, size), dx(48, 6);
      const auto set = [&](const Tokens<double>& dy) {
        c.a.d(c.agent.net.logits) = dy.topRows(3);
        c.a.d(c.agent.net.value) = dy.row(3);
      };
      const auto report = testing::gradient_check(
          c.agent.layout, c.agent.p, {{"x", x, dx}}, [&] { return c.forward(x); },
          [&](const Tokens<double>& dy, Parameters<double>& g) {
            set(dy);
            dx.setConstant(-3);
            c.agent.net.backward(c.agent.p, x, c.a, g, dx);
            Parameters<double> again(c.agent.layout);
            Tokens<double> added = Tokens<double>::Constant(48, 6, 7);
            set(dy);
            c.agent.net.backward(c.agent.p, x, c.a, again, add_to(added));
            CHECK(support::distance(added, (dx.array() + 7).matrix()) <= 1e-12);
            set(dy);
            c.agent.net.backward(c.agent.p, x, c.a, again, no_gradient);
            CHECK(support::distance(again.flat, 2 * g.flat) <= 1e-12);
          });
      INFO(report.worst_name());
      CHECK(report.worst() <= 1e-6);
    }
  }
}

TEST_CASE("patch body: a patch is embedded with all its channels, and where it is") {
  Case c({.value = true});
  const auto& body = c.agent.net.body;
  const auto& p = c.agent.p;
  c.a.begin(c.agent.time, {2});
  const Tokens<double> x = random<double>(48, 2, 5);
  c.forward(x);
  const auto weight = p[body.embedding.proj.linear.weight];
  for (Index t = 0; t < 2; ++t)
    for (Index patch = 0; patch < 4; ++patch)
      for (Index k = 0; k < 4; ++k) {
        double sum = p[body.embedding.proj.linear.bias](k, 0) + p[body.position.row](patch / 2, k) +
                     p[body.position.col](patch % 2, k);
        for (Index channel = 0; channel < 2; ++channel)
          for (Index r = 0; r < 2; ++r)
            for (Index col = 0; col < 3; ++col)
              sum += weight(k, channel * 6 + r * 3 + col) *
                     x(channel * 24 + (patch / 2 * 2 + r) * 6 + patch % 2 * 3 + col, t);
        CHECK(c.a[body.embedded](k, 4 * t + patch) == Approx(sum));
      }
}

TEST_CASE("patch body: features are those of its layers, one after the other") {
  Case c({.layers = 2, .value = true});
  const auto& body = c.agent.net.body;
  c.a.begin(c.agent.time, {2, 1});
  c.forward(random<double>(48, 3, 5));
  const Tokens<double> features = c.a[body.features], embedded = c.a[body.embedded];
  Tokens<double> encoded(4, 12), pooled(4, 3);
  body.encoder.forward(c.agent.p, embedded, encoded, c.a);
  body.pool.forward(c.agent.p, encoded, pooled, c.a);
  CHECK(support::same_bits(features, pooled));
}

TEST_CASE("patch body: each step alone, and all of its pixels matter") {
  Case c({.value = true});
  c.a.begin(c.agent.time, ragged);
  const Tokens<double> x = random<double>(48, 6, 5), before = c.forward(x);
  for (Index t = 0; t < 6; ++t)
    for (Index pixel = 0; pixel < 48; ++pixel) {
      Tokens<double> changed = x;
      changed(pixel, t) += 0.5;
      const Tokens<double> after = c.forward(changed);
      for (Index u = 0; u < 6; ++u) CHECK(support::same_bits(before.col(u), after.col(u)) == (u != t));
    }
  Memory<double> m(c.agent.layout, 3);
  CHECK(past_of(c.agent.net, c.agent.layout) == 0);
  for (Index t = 0; t < 3; ++t) {
    c.a.begin(c.agent.time, {1, 0, 1});
    Tokens<double> now(48, 2);
    now << x.col(t), x.col(5 - t);
    c.agent.net.extend(c.agent.p, now, m, c.a);
    m.advance();
    CHECK(support::distance(c.a[c.agent.net.logits].col(0), before.col(t).head(3)) <= 1e-12);
    CHECK(support::distance(c.a[c.agent.net.logits].col(1), before.col(5 - t).head(3)) <= 1e-12);
  }
  c.a.begin(c.agent.time, {0, 0, 0});
  c.agent.net.extend(c.agent.p, Tokens<double>(48, 0), m, c.a);
}

TEST_CASE("patch body: errors name the thing and the numbers") {
  using support::check_complaint;
  check_complaint("image 4 x 6 is not divided by patches of 3 x 3", [] {
    Agent<Net>({.actions = 2, .image = {4, 6}, .patch = {3}});
  });
  check_complaint("dim 32 is not a multiple of heads 5",
                  [] { Agent<Net>({.actions = 2, .image = {4}, .patch = {2}, .heads = 5}); });
  Case c;
  CHECK(c.agent.net.observation == 48);
  c.a.begin(c.agent.time, {2});
  Parameters<double> g(c.agent.layout);
  Tokens<double> x = Tokens<double>::Zero(48, 2), high = Tokens<double>::Zero(49, 2),
                 wide = Tokens<double>::Zero(48, 3);
  check_complaint("PatchBody: x is 49 x 2, but 48 x 2", [&] { c.agent.net.forward(c.agent.p, high, c.a); });
  check_complaint("PatchBody: x is 48 x 3, but 48 x 2", [&] { c.agent.net.forward(c.agent.p, wide, c.a); });
  c.agent.net.forward(c.agent.p, x, c.a);
  check_complaint("PatchBody: dx is 49 x 2, but 48 x 2",
                  [&] { c.agent.net.body.backward(c.agent.p, x, c.a, g, high); });
  check_complaint("PatchBody: x is 48 x 3, but 48 x 2",
                  [&] { c.agent.net.body.backward(c.agent.p, wide, c.a, g, no_gradient); });
}

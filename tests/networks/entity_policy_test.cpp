#include "heed/networks/entity_policy.hpp"

#include "heed/core/agent.hpp"
#include "heed/networks/pointer_policy.hpp"
#include "support.hpp"

using namespace heed;
using support::random;

namespace {

const Sequences steps{3, 0, 1, 4};
const Sequences seen{2, 0, 1, 3, 0, 5, 1, 2};  // entities at each step

/// A network of each kind, small, with all its weights away from their special first values. A column of x is an entity:
/// its type, where there are types, and two features.
template <class Net>
struct Case {
  Agent<Net> agent;
  Activations<double> a;

  explicit Case(typename Net::Config config) : agent(completed(config), 3), a(agent.layout) {
    agent.p.flat += random<double>(agent.p.flat.size(), 1, 4, 0.2);
  }
  static typename Net::Config completed(typename Net::Config config) {
    config.observation = config.types > 0 ? 3 : 2;
    config.width = 4, config.heads = 2, config.inner = 5;
    if constexpr (requires { config.actions; }) config.actions = 3;
    return config;
  }
  bool typed() const { return agent.net.observation == 3; }
  Index rows() const { return agent.net.observation; }

  void begin(SequencesView of_time, SequencesView of_entities) {
    a.begin(agent.net.time, of_time);
    a.begin(agent.net.input, of_entities);
  }
  Tokens<double> entities(Index columns, std::uint64_t seed) const {
    Tokens<double> x = random<double>(rows(), columns, seed);
    for (Index i = 0; i < columns && typed(); ++i) x(0, i) = double(i * i % 3);
    return x;
  }
  /// Logits and values, one behind the other, whichever the network has.
  Tokens<double> outputs() {
    std::vector<double> all;
    const auto append = [&](const Tokens<double>& y) { all.insert(all.end(), y.data(), y.data() + y.size()); };
    if constexpr (requires { agent.net.logits; }) append(a[agent.net.logits]);
    if (const auto value = value_of(agent.net)) append(a[value]);
    return Eigen::Map<Tokens<double>>(all.data(), Index(all.size()), 1);
  }
  void set_gradients(const Tokens<double>& dy) {
    const double* from = dy.data();
    const auto take = [&](auto to) {
      std::copy(from, from + to.size(), to.data());
      from += to.size();
    };
    if constexpr (requires { agent.net.logits; }) take(a.d(agent.net.logits));
    if (const auto value = value_of(agent.net)) take(a.d(value));
  }
  Tokens<double> forward(const Tokens<double>& x) {
    agent.net.forward(agent.p, x, a);
    return outputs();
  }
};

template <class Net>
void check_gradient(typename Net::Config config) {
  Case<Net> c(config);
  c.begin(steps, seen);
  for (const double size : {1.0, 0.0}) {
    Tokens<double> x = c.entities(seen.columns(), 5), dx(c.rows(), x.cols());
    Tokens<double> features = size * x.bottomRows(2), dfeatures = features;
    const auto report = testing::gradient_check(
        c.agent.layout, c.agent.p, {{"x", features, dfeatures}},
        [&] {
          x.bottomRows(2) = features;
          return c.forward(x);
        },
        [&](const Tokens<double>& dy, Parameters<double>& g) {
          c.set_gradients(dy);
          dx.setConstant(-3);
          c.agent.net.backward(c.agent.p, x, c.a, g, dx);
          dfeatures = dx.bottomRows(2);
          if (c.typed()) CHECK((dx.row(0).array() == 0).all());
          Parameters<double> again(c.agent.layout);
          Tokens<double> added = Tokens<double>::Constant(c.rows(), x.cols(), 7);
          c.set_gradients(dy);
          c.agent.net.backward(c.agent.p, x, c.a, again, add_to(added));
          CHECK(support::distance(added, (dx.array() + 7).matrix()) <= 1e-12);
          c.set_gradients(dy);
          c.agent.net.backward(c.agent.p, x, c.a, again, no_gradient);
          CHECK(support::distance(again.flat, 2 * g.flat) <= 1e-12);
        });
    INFO(report.worst_name());
    CHECK(report.worst() <= 1e-6);
  }
}

/// Columns [first, first + n) of each lane's sequence.
struct Piece {
  Index lane, first, n;
};

/// Three lanes that live through their steps in pieces of up to `most`; some wait now and then. What entities a step shows
/// depends on its number.
template <class Net>
void check_extend(typename Net::Config config, Index most) {
  Case<Net> c(config);
  const Sequences lengths{3, 9, 14};
  Sequences shown;
  for (Index t = 0; t < lengths.columns(); ++t) shown.append(t * t % 5 % 4);
  const Tokens<double> x = c.entities(shown.columns(), 5);
  c.begin(lengths, shown);
  c.agent.net.forward(c.agent.p, x, c.a);
  const Tokens<double> whole = c.a[c.agent.net.body.features], logits = c.outputs();
  Memory<double> m(c.agent.layout, 3, Capacity{.columns = 14, .chunk = most});
  std::vector<std::vector<double>> of_lane(3);  // the logits along the entities, as they come
  Random random(1);
  for (bool all = false; !all;) {
    all = true;
    Sequences now, now_shown;
    std::vector<Index> columns;  // of x
    std::vector<Piece> pieces;
    for (Index lane = 0; lane < 3; ++lane) {
      const Index lived = m.length(c.agent.time, lane), left = lengths.length(lane) - lived;
      pieces.push_back({lane, lengths.first(lane) + lived, std::min(left, random.below(most + 1))});
      all = all && left == pieces.back().n;
      now.append(pieces.back().n);
      for (Index t = pieces.back().first; t < pieces.back().first + pieces.back().n; ++t) {
        now_shown.append(shown.length(t));
        for (Index i = 0; i < shown.length(t); ++i) columns.push_back(shown.first(t) + i);
      }
    }
    Tokens<double> part(c.rows(), Index(columns.size()));
    for (std::size_t i = 0; i < columns.size(); ++i) part.col(Index(i)) = x.col(columns[i]);
    c.begin(now, now_shown);
    c.agent.net.extend(c.agent.p, part, m, c.a);
    for (const Piece& piece : pieces)
      CHECK(support::distance(c.a[c.agent.net.body.features].middleCols(now.first(piece.lane), piece.n),
                              whole.middleCols(piece.first, piece.n)) <= 1e-12);
    if constexpr (std::is_same_v<Net, PointerPolicy<double>>)
      for (std::size_t i = 0; i < columns.size(); ++i)
        CHECK(c.a[c.agent.net.logits](0, Index(i)) == Approx(logits(columns[i], 0)).margin(1e-12));
    m.advance();
  }
}

/// Later entities, and those of other episodes, leave the bits of a step as they were.
template <class Net>
void check_no_leak(typename Net::Config config, Index window) {
  Case<Net> c(config);
  c.begin(steps, seen);
  const Tokens<double> x = c.entities(seen.columns(), 5);
  c.forward(x);
  const Tokens<double> before = c.a[c.agent.net.body.features];
  for (Index t = 0; t < seen.count(); ++t)
    for (Index i = 0; i < seen.length(t); ++i) {
      Tokens<double> changed = x;
      changed.col(seen.first(t) + i).tail(2).array() += 0.5;
      c.forward(changed);
      const Tokens<double> after = c.a[c.agent.net.body.features];
      for (Index u = 0; u < steps.columns(); ++u) {
        const bool same_episode = SequencesView(steps).sequence_of(u) == SequencesView(steps).sequence_of(t);
        const bool sees = same_episode && u >= t && u < t + window;
        INFO("entity " << i << " of step " << t << " seen from step " << u);
        CHECK(support::same_bits(before.col(u), after.col(u)) != sees);
      }
    }
}

using Actions = EntityPolicy<double>;
using Points = PointerPolicy<double>;
using Value = EntityValue<double>;

}  // namespace

TEST_CASE("entity networks: gradients, with steps that show no entity") {
  for (const Index types : {0, 3})
    for (const bool value : {false, true}) {
      INFO(types << " types, value " << value);
      check_gradient<Actions>({.types = types, .layers = 1 + types / 3, .value = value});
      check_gradient<Points>({.types = types, .value = value});
    }
  check_gradient<Actions>({.window = 2});
  check_gradient<Actions>({.types = 3, .layers = 0, .value = true});
  check_gradient<Points>({.layers = 0});
  check_gradient<Points>({.window = 2, .score = PointerScore::additive, .clip = 2});
  check_gradient<Value>({.types = 3});
}

TEST_CASE("entity networks: extending piece by piece equals the full pass") {
  for (const Index most : {1, 4, 14})
    for (const Index window : {0, 3}) {
      check_extend<Actions>({.types = 3, .layers = 2, .window = window, .value = true}, most);
      check_extend<Points>({.layers = 2, .window = window, .value = true}, most);
      check_extend<Value>({.window = window}, most);
      check_extend<Actions>({.types = 3, .layers = 0, .value = true}, most);
    }
}

TEST_CASE("entity networks: no step sees entities of a later one, or of another episode") {
  check_no_leak<Actions>({}, 100);
  check_no_leak<Actions>({.layers = 0}, 1);
  check_no_leak<Actions>({.types = 3, .window = 2}, 2);
  check_no_leak<Points>({.window = 1}, 1);
}

TEST_CASE("entity networks: the order of entities does not matter, but that a pointer follows them") {
  Case<Actions> actions({.types = 3});
  Case<Points> points({.types = 3});
  const Tokens<double> x = actions.entities(seen.columns(), 5);
  std::vector<Index> place;  // each step backwards
  for (Index t = 0; t < seen.count(); ++t)
    for (Index i = seen.length(t); i-- > 0;) place.push_back(seen.first(t) + i);
  Tokens<double> turned = x;
  for (Index i = 0; i < x.cols(); ++i) turned.col(i) = x.col(place[std::size_t(i)]);
  actions.begin(steps, seen), points.begin(steps, seen);
  const Tokens<double> before = actions.forward(x);
  CHECK(support::distance(actions.forward(turned), before) <= 1e-12);
  const Tokens<double> pointed = points.forward(x), turned_too = points.forward(turned);
  for (Index i = 0; i < x.cols(); ++i)
    CHECK(turned_too(i, 0) == Approx(pointed(place[std::size_t(i)], 0)).margin(1e-12));
}

TEST_CASE("entity networks: of entities that are alike but for their type, the type is seen") {
  Case<Actions> c({.types = 3});
  c.begin(Sequences{1}, Sequences{2});
  Tokens<double> x = c.entities(2, 5);
  x.row(0) << 0, 1;
  const Tokens<double> before = c.forward(x);
  x(0, 1) = 2;
  CHECK(support::distance(c.forward(x), before) > 1e-4);
}

TEST_CASE("entity networks: no entity at any step") {
  Case<Actions> actions({.types = 3, .value = true});
  Case<Points> points({.value = true});
  const Sequences none{0, 0, 0};
  const auto check = [&](auto& c) {
    c.begin(Sequences{2, 1}, none);
    const Tokens<double> x(c.rows(), 0);
    const Tokens<double> y = c.forward(x);
    CHECK(y.allFinite());
    Parameters<double> g(c.agent.layout);
    c.set_gradients(y);
    c.agent.net.backward(c.agent.p, x, c.a, g, no_gradient);
    CHECK(g.flat.allFinite());
    CHECK((g[c.agent.net.body.embedding.weight].array() == 0).all());
    CHECK(g.flat.norm() > 0);
  };
  check(actions);
  check(points);
}

TEST_CASE("entity networks: errors name the thing and the numbers") {
  using support::check_complaint;
  check_complaint("EntityBody: -1 layers", [] { Agent<Actions>({.observation = 2, .actions = 2, .layers = -1}); });
  check_complaint("EntityBody: -1 types", [] { Agent<Actions>({.observation = 2, .actions = 2, .types = -1}); });
  check_complaint("embedding.weight: size 1 of its shape is 0",
                  [] { Agent<Actions>({.observation = 1, .actions = 2, .types = 3}); });
  check_complaint("dim 32 is not a multiple of heads 5", [] { Agent<Points>({.observation = 2, .heads = 5}); });
  check_complaint("clip -1", [] { Agent<Points>({.observation = 2, .clip = -1}); });
  Case<Actions> c({.types = 3});
  c.begin(Sequences{2}, Sequences{1, 2});
  check_complaint("EntityBody: x is 4 x 3, but 3 x 3", [&] { c.forward(Tokens<double>::Zero(4, 3)); });
  check_complaint("EntityBody: x is 3 x 2, but 3 x 3", [&] { c.forward(Tokens<double>::Zero(3, 2)); });
  check_complaint("Embedding: x is 3", [&] { c.forward(Tokens<double>::Constant(3, 3, 3)); });
}

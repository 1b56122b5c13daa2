#include "heed/rl/dqn.hpp"

#include "heed/core/threads.hpp"
#include "heed/environments/cart_pole.hpp"
#include "heed/networks/attention_q.hpp"
#include "heed/networks/entity_q.hpp"
#include "heed/networks/mlp_q.hpp"
#include "heed/networks/transformer_q.hpp"
#include "support.hpp"
#include "support/adam.hpp"
#include "support/executors.hpp"

using namespace heed;

namespace {

/// Two states. From 0, action 1 leads to 1, action 0 nowhere; from 1, action 1 ends the task with a reward of 1, action
/// 0 leads to 0. A time limit that nobody sees cuts episodes, far too early to be left out.
struct Chain {
  struct State {
    Index at = 0, t = 0;
  };
  using Action = Index;
  State reset(Random& random) const { return {.at = random.below(2)}; }
  Outcome step(State& s, Index action) const {
    const bool ends = s.at == 1 && action == 1;
    s.at = s.at == 0 && action == 1;
    return {.reward = ends ? 1.0 : 0.0, .terminated = ends, .truncated = ++s.t == 2};
  }
  Index observation() const { return 2; }
  Index actions() const { return 2; }
  Index time_limit() const { return 2; }
  template <class S>
  void observe(const State& s, Write<S> x) const {
    x.col(0) << S(s.at == 0), S(s.at == 1);
  }
};

/// A weight for each action and state of a Chain.
struct Table {
  using Scalar = double;
  struct Config {};
  Weight<2, 2> weight;
  Columns<> q, logits;
  Axis time, input;
  Index observation = 2;

  Table(Scope at, const Config&)
      : weight(at.weight<2, 2>("weight", {2, 2}, zero())),
        q(at.columns(2)),
        logits(q),
        time(at.axis()),
        input(at.axis()) {}
  void forward(ParametersView<const double> p, Read<double> x, ActivationsView<double> a) const {
    a[q] = p[weight] * x;
  }
  void extend(ParametersView<const double> p, Read<double> x, MemoryView<double> m, ActivationsView<double> a) const {
    m.begin(time, a.sequences(time));
    forward(p, x, a);
  }
  void backward(ParametersView<const double>, Read<double> x, ActivationsView<double> a, ParametersView<double> g,
                Gradient<double>) const {
    g[weight] += a.d(q) * x.transpose();
  }
};

/// A bit is shown once; three steps later it is to be named. Other steps bring nothing.
struct Recall {
  struct State {
    Index bit, t = 0;
  };
  using Action = Index;
  State reset(Random& random) const { return {.bit = random.below(2)}; }
  Outcome step(State& s, Index action) const {
    const bool last = ++s.t == 4;
    return {.reward = !last ? 0.0 : action == s.bit ? 1.0 : -1.0, .terminated = last, .truncated = false};
  }
  Index observation() const { return 2; }
  Index actions() const { return 2; }
  Index time_limit() const { return 4; }
  template <class S>
  void observe(const State& s, Write<S> x) const {
    x.col(0) << S(s.t == 0 ? 2 * s.bit - 1 : 0), S(s.t == 3);
  }
};

/// A random number a step, whatever is done, in episodes that end in either way.
struct Noise {
  struct State {
    Index t = 0;
    Random random{0};
    double mark = 0;
  };
  using Action = Index;
  double bad_observation = 0;
  State reset(Random& random) const { return {.random = Random(random.bits())}; }
  Outcome step(State& s, Index action) const {
    s.mark = s.random.uniform();
    ++s.t;
    return {.reward = s.mark * double(action), .terminated = s.mark < 0.1, .truncated = s.t == 6};
  }
  Index observation() const { return 2; }
  Index actions() const { return 2; }
  Index time_limit() const { return 6; }
  template <class S>
  void observe(const State& s, Write<S> x) const {
    for (Index i = 0; i < x.cols(); ++i) x.col(i) << S(double(i) + bad_observation), S(s.mark);
  }
};

/// The same as seen by none to three entities.
struct Crowd : Noise {
  Index entities(const State& s) const { return s.t % 4; }
};

template <class Net>
Agent<Net> make_agent(typename Net::Config config, Index observation = 4) {
  if constexpr (requires { config.observation; }) config.observation = observation;
  config.actions = 2;
  Agent<Net> agent(config, 3);
  agent.p.flat += support::random<typename Net::Scalar>(agent.p.flat.size(), 1, 4, 0.2).col(0);
  return agent;
}

bool trained(const Layout& layout, Index weight) {
  for (const Segment& s : layout.segments())
    if (weight >= s.offset && weight < s.offset + s.size) return s.use.trained;
  return false;
}

/// The loss of the docstring over a batch, each sequence on its own, written down plainly; beta: of importance.
template <class Net, class World>
double loss(const Agent<Net>& agent, const Dqn<Net, World>& dqn, const ReplayBatch<double>& batch, double beta) {
  const DqnConfig& c = dqn.config;
  const auto values = [&](const Parameters<double>& p, Index item) {
    Activations<double> a(agent.layout);
    const Index first = batch.time.first(item), count = batch.time.length(item);
    a.begin(agent.net.time, {count});
    if (!(agent.net.input == agent.net.time))
      a.begin(agent.net.input, count, [&](Index t) { return batch.input.length(first + t); });
    agent.net.forward(p, batch.x().middleCols(batch.input.first(first), a.columns(agent.net.input)), a);
    return Tokens<double>(a[agent.net.q]);
  };
  double sum = 0, most = 0;
  for (const auto& item : batch.items) most = std::max(most, dqn.replay().importance(item.step, beta));
  for (Index i = 0; i < batch.time.count(); ++i) {
    const auto& item = batch.items[std::size_t(i)];
    const Tokens<double> mine = values(agent.p, i), theirs = values(dqn.target(), i);
    double target = c.reward_scale * item.reward;
    if (item.following >= 0) {
      const Index behind = item.following - batch.time.first(i);
      const Tokens<double>& choosing = c.double_q ? mine : theirs;
      target += item.discount * theirs(choosing(1, behind) > choosing(0, behind), behind);
    }
    const double e = std::abs(mine(item.action, item.column - batch.time.first(i)) - target);
    const double huber = c.huber > 0 && e > c.huber ? c.huber * (e - c.huber / 2) : e * e / 2;
    sum += dqn.replay().importance(item.step, beta) / most * huber;
  }
  return sum / double(batch.time.count());
}

template <class Net, class World>
void check_gradient(Agent<Net> agent, const World& world, DqnConfig config) {
  config.lanes = 3, config.steps = 30, config.batch = 40, config.room = 60, config.target_every = 7;
  config.learning_starts = 20, config.reward_scale = 0.7, config.epsilon_steps = 50, config.total_steps = 1000;
  Dqn dqn(agent, world, config);
  dqn.iterate();
  agent.p.flat += support::random<double>(agent.p.flat.size(), 1, 8, 0.3).col(0);
  const ReplayBatch<double>& batch = dqn.draw();
  const double beta = 0.4 + 0.6 * 90 / 1000;
  CHECK(dqn.gradient(batch).loss == Approx(loss(agent, dqn, batch, beta)));
  const auto g = dqn.gradient().flat;
  CHECK(g.norm() > 1e-3);
  Random pick(5);
  for (int k = 0; k < 30; ++k) {
    const Index i = pick.below(g.size());
    if (!trained(agent.layout, i)) continue;
    constexpr double h = 1e-6;
    double& weight = agent.p.flat[i];
    const double at = weight;
    weight = at + h;
    const double above = loss(agent, dqn, batch, beta);
    weight = at - h;
    const double below = loss(agent, dqn, batch, beta);
    weight = at;
    CHECK(std::abs((above - below) / (2 * h) - g[i]) <= 1e-6 * std::max(1.0, std::abs(g[i])));
  }
}

/// Acting without exploring: each action is the one that the whole of its episode up to there says is best.
template <class Net, class World>
void check_acting(Agent<Net> agent, const World& world, DqnConfig config) {
  config.lanes = 3, config.steps = 30, config.learning_starts = 1000, config.epsilon_start = config.epsilon_end = 0;
  bool both = false;
  for (int round = 0; round < 2; ++round) {
    Dqn dqn(agent, world, config);
    dqn.iterate();
    const ReplayBatch<double>& batch = dqn.draw();
    Activations<double> a(agent.layout);
    a.begin(agent.net.time, batch.time);
    if (!(agent.net.input == agent.net.time)) a.begin(agent.net.input, batch.input);
    agent.net.forward(agent.p, batch.x(), a);
    const Tokens<double> q = a[agent.net.q];
    Index seen[2] = {};
    std::vector<double> difference;
    for (const auto& item : batch.items) {
      const auto values = q.col(item.column);
      difference.push_back(values(1) - values(0));
      if (std::abs(difference.back()) > 1e-9) CHECK(item.action == (difference.back() > 0));
      ++seen[item.action];
    }
    std::sort(difference.begin(), difference.end());  // neither action shall always be better
    agent.p[agent.net.action_head.bias](1, 0) -= difference[difference.size() / 2];
    both = both || std::min(seen[0], seen[1]) > 0;
  }
  CHECK(both);
}

}  // namespace

TEST_CASE("dqn: the gradient is that of the loss in its docstring") {
  const CartPole world(9);
  for (const bool double_q : {false, true})
    for (const double huber : {0.0, 0.1}) {
      const DqnConfig c{.n_step = 2, .double_q = double_q, .huber = huber, .priority = 0.6};
      check_gradient(make_agent<MlpQ<double>>({.hidden = {8}}), world, c);
      check_gradient(make_agent<AttentionQ<double>>({.window = 3, .width = 6, .hidden = 7, .dueling = true}), world, c);
    }
  check_gradient(make_agent<TransformerQ<double>>({.width = 8, .heads = 2, .inner = 9}), world,
                 {.n_step = 3, .look_back = 4});
  check_gradient(make_agent<TransformerQ<double>>({.width = 8, .heads = 2, .inner = 9}), world, {});
  check_gradient(make_agent<EntityQ<double>>({.width = 4, .heads = 2, .inner = 5, .dueling = true}, 2), Crowd(),
                 {.n_step = 2, .columns = 3, .priority = 1});
}

TEST_CASE("dqn: acting and learning agree") {
  check_acting(make_agent<AttentionQ<double>>({.window = 3, .width = 6, .hidden = 7}, 2), Noise(), {});
  check_acting(make_agent<TransformerQ<double>>({.width = 8, .heads = 2, .inner = 9}, 2), Noise(), {});
  check_acting(make_agent<EntityQ<double>>({.width = 4, .heads = 2, .inner = 5}, 2), Crowd(), {.columns = 3});
}

TEST_CASE("dqn: an update by hand") {
  // One step that brings 1 and ends all, and a network whose values are its last bias: q = (0, 0) at first.
  struct Once : Chain {
    Outcome step(State&, Index) const { return {.reward = 1, .terminated = true}; }
  };
  Agent<MlpQ<double>> agent({.observation = 2, .actions = 2, .hidden = {1}}, 1);
  agent.p.flat.setZero();
  Dqn dqn(agent, Once(), {.reward_scale = 3, .huber = 0, .lanes = 1, .steps = 4, .learning_starts = 100, .batch = 5});
  dqn.iterate();
  const auto& batch = dqn.draw();
  const DqnStatistics now = dqn.gradient(batch);
  CHECK(now.loss == Approx(4.5));
  CHECK(now.error == Approx(3));
  CHECK(now.value == 0);
  Tokens<double> wanted = Tokens<double>::Zero(2, 1);
  for (const auto& item : batch.items) wanted(item.action, 0) += -3.0 / 5;
  CHECK(support::distance(dqn.gradient()[agent.net.action_head.bias], wanted) <= 1e-15);
  CHECK(dqn.gradient().flat.norm() == Approx(wanted.norm()));
  dqn.config.huber = 0.5;
  CHECK(dqn.gradient(batch).loss == Approx(0.5 * (3 - 0.25)));
  CHECK(support::distance(dqn.gradient()[agent.net.action_head.bias], wanted / 6) <= 1e-15);
}

TEST_CASE("dqn: two updates by hand, down to the weights") {
  for (const bool double_q : {false, true}) {
    Agent<Table> agent({}, 1);
    support::AdamWeight mine[2][2] = {{{0.3}, {1.5}}, {{0.9}, {-0.4}}};  // of action, state
    double theirs[2][2] = {{0.5, 0.1}, {0.2, 0.8}};
    DqnConfig config{.learning_rate = 0.1,
                     .gamma = 0.9,
                     .reward_scale = 0.5,
                     .double_q = double_q,
                     .lanes = 4,
                     .steps = 10,
                     .epsilon_end = 1,
                     .learning_starts = 40,
                     .learn_every = 2,
                     .batch = 30,
                     .target_every = 1,
                     .target_share = 0.25,
                     .max_gradient_norm = 0.3};
    agent.p[agent.net.weight] << 0.5, 0.1, 0.2, 0.8;
    Dqn dqn(agent, Chain(), config);
    config.learning_starts = 41;
    Dqn twin(agent, Chain(), config);  // lives the same, and learns nothing: it draws what the other learns from
    agent.p[agent.net.weight] << 0.3, 1.5, 0.9, -0.4;
    twin.iterate();
    REQUIRE(dqn.iterate().updates == 2);
    for (int t = 1; t <= 2; ++t) {
      const ReplayBatch<double>& batch = twin.draw();
      double g[2][2] = {}, square = 0;
      int drawn[2][2] = {};
      for (const auto& item : batch.items) {
        const Index s = batch.x()(1, item.column) == 1, a = item.action, next = s == 0 && a == 1;
        const bool best = double_q ? mine[1][next].at > mine[0][next].at : theirs[1][next] > theirs[0][next];
        const double target = s == 1 && a == 1 ? 0.5 : 0.9 * theirs[best][next];
        g[a][s] += std::clamp(mine[a][s].at - target, -1.0, 1.0) / 30;
        ++drawn[a][s];
      }
      for (const auto& row : g) square += row[0] * row[0] + row[1] * row[1];
      const double scale = 0.3 / (std::sqrt(square) + 1e-6);
      REQUIRE(scale < 1);
      for (int a = 0; a < 2; ++a)
        for (int s = 0; s < 2; ++s) {
          REQUIRE(drawn[a][s] > 0);
          mine[a][s].step(scale * g[a][s], t, 0.1, 1e-8);
          theirs[a][s] = 0.75 * theirs[a][s] + 0.25 * mine[a][s].at;
        }
    }
    for (int a = 0; a < 2; ++a)
      for (int s = 0; s < 2; ++s) {
        CHECK(agent.p[agent.net.weight](a, s) == Approx(mine[a][s].at).epsilon(1e-11));
        CHECK(dqn.target()[agent.net.weight](a, s) == Approx(theirs[a][s]).epsilon(1e-11));
      }
  }
}

TEST_CASE("dqn: the values of a chain of two states, whose time limit is none of theirs", "[learning]") {
  const Chain world;
  for (const Index n : {1, 3})
    for (const double priority : {0.0, 0.6}) {
      Agent<MlpQ<float>> agent({.observation = 2, .actions = 2, .hidden = {16}}, 1);
      Dqn dqn(agent, world,
              {.learning_rate = 1e-2,
               .schedule = {.shape = Schedule::linear},
               .total_steps = 8000,
               .gamma = 0.9,
               .n_step = n,
               .steps = 100,
               .epsilon_end = n == 1 ? 1.0 : 0.0,  // of n steps the values are those of what was done
               .epsilon_steps = 4000,
               .room = 2000,
               .priority = priority,
               .target_every = 20});
      while (dqn.steps() < 8000) dqn.iterate();
      Activations<float> a(agent.layout);
      a.begin(agent.time, {2});
      agent.net.forward(agent.p, Tokens<float>(Tokens<float>::Identity(2, 2)), a);
      const auto q = a[agent.net.q];
      CHECK(q(1, 1) == Approx(1).margin(0.02));
      CHECK(q(1, 0) == Approx(0.9).margin(0.02));
      if (n > 1) continue;
      CHECK(q(0, 0) == Approx(0.81).margin(0.02));
      CHECK(q(0, 1) == Approx(0.81).margin(0.02));
    }
}

TEST_CASE("dqn: what was shown is recalled, which a network without memory cannot", "[learning]") {
  const Recall world;
  const DqnConfig config{.learning_rate = 3e-3, .steps = 100, .epsilon_steps = 4000, .batch = 32, .target_every = 50};
  const auto learned = [&](auto agent) {
    Dqn dqn(agent, world, config);
    while (dqn.steps() < 12000) dqn.iterate();
    return evaluate(agent, world, 200, 9);
  };
  CHECK(learned(Agent<AttentionQ<float>>(
                    {.observation = 2, .actions = 2, .window = 4, .width = 16, .hidden = 16, .dueling = true}, 1))
            .min == 1);
  CHECK(std::abs(learned(Agent<MlpQ<float>>({.observation = 2, .actions = 2}, 1)).mean) < 0.4);
}

TEST_CASE("dqn: the same bits whoever runs it") {
  const CartPole world;
  const auto play = [&](Executor executor) {
    Agent<AttentionQ<float>> agent({.observation = 4, .actions = 2}, 3);
    Dqn dqn(agent, world, {.lanes = 5, .steps = 20, .priority = 0.6, .learning_starts = 50, .batch = 90}, executor);
    for (int i = 0; i < 2; ++i) dqn.iterate();
    return agent.p.flat;
  };
  const auto serial = play({});
  support::Reverse reverse;
  CHECK(play(reverse) == serial);
  CHECK(reverse.tasks >= 3 * 37);  // at each update: shards, and the sum of theirs
  for (const Index n : {1, 2, 7}) {
    Threads threads(n);
    CHECK(play(threads) == serial);
  }
}

TEST_CASE("dqn: statistics, exploring and the target network") {
  const CartPole world;
  Agent<MlpQ<double>> agent = make_agent<MlpQ<double>>({.hidden = {8}});
  const auto first = agent.p.flat;
  Dqn dqn(
      agent, world,
      {.lanes = 4, .steps = 25, .epsilon_steps = 200, .learning_starts = 52, .learn_every = 10, .target_every = 100});
  CHECK(dqn.epsilon() == 1);
  const DqnStatistics one = dqn.iterate();
  CHECK(one.steps == 100);
  CHECK(one.updates == 6);  // after 52, 60, 72, 80, 92, 100 steps
  CHECK(one.loss > 0);
  CHECK(one.error > 0);
  CHECK(one.gradient_norm > 0);
  CHECK(one.epsilon == Approx(0.525));
  CHECK(one.episodes == dqn.episodes());
  CHECK(one.steps_per_second > 0);
  CHECK(dqn.target().flat == first);
  dqn.config.target_every = 1;
  CHECK(dqn.iterate().epsilon == Approx(0.05));
  CHECK(dqn.target().flat == agent.p.flat);
  dqn.config.learn_every = 100;
  dqn.config.target_share = 0.25;
  const auto before = agent.p.flat;
  CHECK(dqn.iterate().updates == 1);
  CHECK(before != agent.p.flat);
  CHECK((dqn.target().flat - 0.75 * before - 0.25 * agent.p.flat).norm() <= 1e-14);
  CHECK(dqn.epsilon() == Approx(0.05));
  CHECK(dqn.mean_return() > 1);
}

TEST_CASE("dqn: errors") {
  using support::check_complaint;
  const CartPole world;
  Agent<MlpQ<double>> agent = make_agent<MlpQ<double>>({.hidden = {4}});
  const auto wrongly = [&](const char* says, const DqnConfig& c) {
    check_complaint(says, [&] { Dqn(agent, world, c); });
  };
  wrongly("lanes 0 must be at least 1", {.lanes = 0});
  wrongly("n_step 0 must be at least 1", {.n_step = 0});
  wrongly("gamma 1.5 is not in [0, 1]", {.gamma = 1.5});
  wrongly("target_share -1 is not in [0, 1]", {.target_share = -1});
  wrongly("huber -1", {.huber = -1});
  wrongly("look_back -1", {.look_back = -1});
  wrongly("Dqn: room 30, but 8 lanes need 4 each", {.n_step = 3, .room = 30});
  Agent<AttentionQ<double>> looking = make_agent<AttentionQ<double>>({.window = 8});
  check_complaint("Dqn: room 71, but 8 lanes need 9 each", [&] { Dqn(looking, world, {.room = 71}); });
  Dqn(looking, world, {.room = 72});
  Agent<TransformerQ<double>> recalling = make_agent<TransformerQ<double>>({.width = 4, .heads = 2});
  check_complaint("Dqn: room 4007, but 8 lanes need 501 each", [&] { Dqn(recalling, world, {.room = 4007}); });
  Dqn(recalling, world, {.room = 4008});
  Agent<MlpQ<double>> other = make_agent<MlpQ<double>>({.hidden = {4}}, 3);
  check_complaint("observations of 3 and 2 actions, but the world has 4 and 2", [&] { Dqn(other, world); });
  struct Guarded : CartPole {
    void allowed(const State&, std::span<bool>) const {}
  };
  check_complaint("Dqn: the world says which actions are allowed, but it chooses from all",
                  [&] { Dqn(agent, Guarded()); });
  Agent<EntityQ<double>> seeing = make_agent<EntityQ<double>>({.width = 4, .heads = 2}, 2);
  Crowd crowd;
  Agent<MlpQ<double>> one_column = make_agent<MlpQ<double>>({.hidden = {4}}, 2);
  check_complaint("Dqn: the world shows sets of entities", [&] { Dqn(one_column, crowd); });
  crowd.bad_observation = NAN;
  check_complaint("an observation of lane 0 is not finite at step 1",
                  [&] { Dqn(seeing, crowd, {.columns = 3}).iterate(); });
  Agent<MlpQ<float>> narrow({.observation = 4, .actions = 2}, 1);
  Dqn dqn(narrow, world, {.reward_scale = 1e300, .huber = 0, .steps = 8, .learning_starts = 10});
  const auto before = narrow.p.flat;
  check_complaint("norm is", [&] { dqn.iterate(); });
  CHECK(narrow.p.flat == before);
}

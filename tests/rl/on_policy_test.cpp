#include "heed/rl/on_policy.hpp"

#include "heed/core/threads.hpp"
#include "heed/environments/cart_pole.hpp"
#include "heed/io/checkpoint.hpp"
#include "heed/networks/attention_policy.hpp"
#include "heed/networks/mlp_policy.hpp"
#include "heed/networks/transformer_policy.hpp"
#include "heed/rl/actor_critic.hpp"
#include "heed/rl/ppo.hpp"
#include "support.hpp"
#include "support/executors.hpp"
#include "support/files.hpp"

using namespace heed;

namespace {

/// A pole whose numbers and rewards are far from mean 0 and deviation 1, and whose rewards differ from step to step.
struct Unscaled : CartPole {
  using CartPole::CartPole;
  Outcome step(State& s, Index action) const {
    Outcome outcome = CartPole::step(s, action);
    outcome.reward = 50 + 30 * s.speed;
    return outcome;
  }
  template <class S>
  void observe(const State& s, Write<S> x) const {
    CartPole::observe(s, x);
    x.array() *= S(0.5);
    x(1, 0) += S(3);
  }
};
/// As a normaliser would show it.
struct Normalised : Unscaled {
  const RunningNormaliser* by;
  Normalised(const Unscaled& world, const RunningNormaliser* normaliser) : Unscaled(world), by(normaliser) {}
  template <class S>
  void observe(const State& s, Write<S> x) const {
    Unscaled::observe(s, x);
    by->normalise(x, x);
  }
};

template <class Net>
Agent<Net> make_agent(typename Net::Config config) {
  config.observation = 4;
  config.actions = 2;
  config.value = true;
  Agent<Net> agent(config, 3);
  agent.p.flat += support::random<typename Net::Scalar>(agent.p.flat.size(), 1, 4, 0.2).col(0);
  return agent;
}
auto simple() { return make_agent<MlpPolicy<double>>({.hidden = {8}}); }
auto attentive() { return make_agent<AttentionPolicy<double>>({.window = 5, .width = 6, .hidden = 7}); }
auto looking_back() { return make_agent<TransformerPolicy<double>>({.width = 8, .heads = 2, .inner = 9}); }

PpoConfig normalising() {
  return {.learning_rate = 1e-2,
          .lanes = 3,
          .steps = 20,
          .epochs = 2,
          .normalise_observations = true,
          .normalise_rewards = true};
}

/// f(part, t) for each step that was lived in the last iteration.
template <class F>
void each_step(const Episodes<double>& e, F f) {
  for (Index i = 0; i < e.count(); ++i)
    for (Index t = e.time.first(i) + e.past[std::size_t(i)]; t < e.time.first(i) + e.time.length(i); ++t)
      f(std::size_t(i), std::size_t(t));
}

template <class Net>
void check_ratios(Agent<Net> agent) {
  const Unscaled world(37);
  Ppo ppo(agent, world, normalising());
  for (int i = 0; i < 4; ++i) {
    ppo.iterate();
    ppo.collect();
    std::vector<Piece> pieces;
    cut_into_pieces(ppo.lived(), 0, past_of(agent.net, agent.layout), pieces);
    Minibatch<double> all;
    all.gather(ppo.lived(), std::span<const Piece>(pieces));
    CHECK(ppo.gradient(all).kl <= 1e-24);
    CHECK(ppo.iterate().kl > 1e-9);
  }
}

/// Each iteration's observations are normalised by the mean and deviation of all that the iterations before it showed.
template <class Net>
void check_observations(Agent<Net> agent) {
  const Unscaled world(37);
  ActorCritic trainer(agent, world, {.lanes = 3, .steps = 20, .normalise_observations = true});
  std::vector<Eigen::Vector4d> shown;
  for (int i = 0; i < 5; ++i) {
    Eigen::Vector4d mean = Eigen::Vector4d::Zero(), variance = Eigen::Vector4d::Constant(i == 0);
    for (const auto& x : shown) mean += x / double(shown.size());
    for (const auto& x : shown) variance += (x - mean).cwiseAbs2() / double(shown.size());
    for (Index row = 0; row < 4; ++row) {
      CHECK(trainer.observation_normaliser()->mean(row) == Approx(mean[row]));
      CHECK(trainer.observation_normaliser()->variance(row) == Approx(variance[row]));
    }
    trainer.iterate();
    double largest = 0;
    each_step(trainer.lived(), [&](std::size_t, std::size_t t) {
      const Eigen::Vector4d x = trainer.lived().x().col(Index(t));
      largest = std::max(largest, x.cwiseAbs().maxCoeff());
      shown.push_back(x.cwiseProduct((variance.array() + 1e-8).sqrt().matrix()) + mean);
    });
    REQUIRE(largest < 10);  // nothing was clipped
  }
}

/// The last task first; it knows the fewest tasks that it was given at once.
struct Counting : support::Reverse {
  Index fewest = unlimited;
  void run(Index count, Task task) {
    fewest = std::min(fewest, count);
    Reverse::run(count, task);
  }
};

}  // namespace

TEST_CASE("on_policy: with normalised observations every ratio is 1 before the first update") {
  check_ratios(simple());
  check_ratios(attentive());
  check_ratios(looking_back());
}

TEST_CASE("on_policy: observations are normalised by all that was shown before the iteration") {
  check_observations(simple());
  check_observations(attentive());
  check_observations(looking_back());
}

TEST_CASE("on_policy: rewards are normalised by the deviation of all discounted returns so far") {
  auto agent = attentive();
  Ppo ppo(agent, Unscaled(37),
          {.gamma = 0.9, .lambda = 0.8, .reward_scale = 0.5, .lanes = 1, .steps = 25, .normalise_rewards = true});
  std::vector<double> discounted;  // of all steps
  double running = 0;
  for (int i = 0; i < 6; ++i) {
    ppo.iterate();
    const Episodes<double>& e = ppo.lived();
    each_step(e, [&](std::size_t part, std::size_t t) {
      discounted.push_back(running = 0.9 * running + e.rewards[t]);
      const bool last = Index(t) + 1 == e.time.first(Index(part)) + e.time.length(Index(part));
      if (last && part < e.finished.size()) running = 0;  // of the one lane all episodes but the last are over
    });
    double mean = 0, variance = 0;
    for (double r : discounted) mean += r / double(discounted.size());
    for (double r : discounted) variance += (r - mean) * (r - mean) / double(discounted.size());
    for (Index part = 0; part < e.count(); ++part) {
      const std::size_t first = std::size_t(e.time.first(part)), past = std::size_t(e.past[std::size_t(part)]);
      double advantage = 0, next = e.truncated[std::size_t(part)] ? e.last_value[std::size_t(part)] : 0;
      for (std::size_t t = first + std::size_t(e.time.length(part)); t-- > first + past;) {
        const double reward = std::clamp(e.rewards[t] / std::sqrt(variance + 1e-8), -10.0, 10.0);
        advantage = 0.5 * reward + 0.9 * next - e.values[t] + 0.9 * 0.8 * advantage;
        next = e.values[t];
        CHECK(ppo.advantages()[t] == Approx(advantage));
        CHECK(ppo.returns()[t] == Approx(advantage + next));
      }
    }
  }
  CHECK(ppo.mean_return() > 100);  // of the rewards as they are
}

TEST_CASE("on_policy: parts say in which lane they were lived, and whether they go on") {
  auto agent = attentive();
  ActorCritic trainer(agent, CartPole(13), {.lanes = 4, .steps = 9});
  std::vector<Index> so_far(4, 0);
  for (int i = 0; i < 6; ++i) {
    trainer.collect();
    const Episodes<double>& e = trainer.lived();
    std::vector<Index> steps(4, 0);
    std::size_t over = 0;
    for (std::size_t part = 0; part < e.lane.size(); ++part) {
      const std::size_t lane = std::size_t(e.lane[part]);
      if (part > 0) CHECK(e.lane[part] >= e.lane[part - 1]);
      CHECK(e.past[part] == std::min(so_far[lane], Index(4)));
      const Index lived = e.time.length(Index(part)) - e.past[part];
      steps[lane] += lived;
      so_far[lane] += lived;
      if (e.open[part]) continue;
      CHECK(e.finished[over++].steps == so_far[lane]);
      so_far[lane] = 0;
    }
    CHECK(over == e.finished.size());
    CHECK(steps == std::vector<Index>(4, 9));
  }
}

TEST_CASE("evaluate: with a normaliser as in a world that shows normalised observations") {
  auto agent = looking_back();
  const Unscaled world(60);
  Ppo ppo(agent, world, normalising());
  for (int i = 0; i < 3; ++i) ppo.iterate();
  const RunningNormaliser* by = ppo.observation_normaliser();
  REQUIRE(by);
  for (const Choice choice : {Choice::mode, Choice::sample}) {
    const Returns given = evaluate(agent, world, 20, 5, choice, {}, by),
                  shown = evaluate(agent, Normalised(world, by), 20, 5, choice);
    CHECK(given.mean == shown.mean);
    CHECK(given.steps == shown.steps);
    if (choice == Choice::sample) CHECK(given.mean != evaluate(agent, world, 20, 5, choice).mean);
  }
  CHECK(Ppo(agent, world).observation_normaliser() == nullptr);
  const RunningNormaliser other(3);
  support::check_complaint("RunningNormaliser: x is 4 x 20, but 3 x 20 is needed",
                           [&] { evaluate(agent, world, 20, 5, Choice::mode, {}, &other); });
}

TEST_CASE("on_policy: normalised, the same bits whoever runs it") {
  const auto play = [](Executor executor) {
    Agent<AttentionPolicy<float>> agent({.observation = 4, .actions = 2, .hidden = 512, .value = true}, 3);
    PpoConfig config = normalising();
    config.lanes = 40;
    Ppo ppo(agent, Unscaled(37), config, executor);
    for (int i = 0; i < 3; ++i) ppo.iterate();
    return std::pair(agent.p.flat, ppo.observation_normaliser()->state);
  };
  const auto serial = play({});
  Counting counting;
  CHECK(play(counting) == serial);
  CHECK(counting.fewest > 1);  // lanes, shards and the sum of theirs: all is shared
  for (const Index n : {1, 2, 7}) {
    Threads threads(n);
    CHECK(play(threads) == serial);
  }
}

TEST_CASE("on_policy: normalised, training goes on from a checkpoint in the same bits") {
  const Unscaled world(37);
  auto first = looking_back(), second = looking_back();
  Ppo whole(first, world, normalising());
  for (int i = 0; i < 3; ++i) whole.iterate();
  const support::Folder folder;
  save_checkpoint(folder / "run.ckpt", whole);
  PpoConfig config = normalising();
  config.seed = 9;
  Ppo resumed(second, world, config);
  resumed.iterate();
  load_checkpoint(folder / "run.ckpt", resumed);
  CHECK(resumed.observation_normaliser()->state == whole.observation_normaliser()->state);
  for (int i = 0; i < 3; ++i) whole.iterate(), resumed.iterate();
  CHECK(first.p.flat == second.p.flat);
  CHECK(std::equal(whole.returns().begin(), whole.returns().end(), resumed.returns().begin()));
  Ppo plain(second, world);
  CHECK_THROWS(load_checkpoint(folder / "run.ckpt", plain));
}

TEST_CASE("on_policy: there is nothing to learn from before something was lived") {
  const CartPole world(13);
  auto agent = simple();
  Ppo ppo(agent, world, {.lanes = 2, .steps = 9});
  ActorCritic critic(agent, world, {.lanes = 2, .steps = 9});
  Ppo other(agent, world, {.lanes = 2, .steps = 9});
  other.collect();
  std::vector<Piece> pieces;
  cut_into_pieces(other.lived(), 0, 0, pieces);
  Minibatch<double> all;
  all.gather(other.lived(), std::span<const Piece>(pieces));
  support::check_complaint("Ppo: nothing was lived so far", [&] { ppo.lived(); });
  support::check_complaint("Ppo: nothing was lived so far", [&] { ppo.gradient(all); });
  support::check_complaint("ActorCritic: nothing was lived so far", [&] { critic.lived(); });
  support::check_complaint("ActorCritic: nothing was lived so far", [&] { critic.gradient(all); });
  CHECK(ppo.gradient().flat.isZero(0));
  ppo.collect();
  CHECK(ppo.gradient(all).kl <= 1e-24);
}

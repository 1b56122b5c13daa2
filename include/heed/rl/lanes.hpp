#pragma once
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

#include "heed/core/agent.hpp"
#include "heed/core/shards.hpp"
#include "heed/rl/decision.hpp"
#include "heed/rl/environment.hpp"
#include "heed/rl/episodes.hpp"
#include "heed/rl/lane.hpp"
#include "heed/rl/past_steps.hpp"
#include "heed/rl/running_normaliser.hpp"
#include "heed/rl/step_log.hpp"

namespace heed {

/// How actions are chosen: sampled from the policy, or the most probable.
enum class Choice { sample, mode };

/// Some of the lanes of a Rollout, which act together: what one thread plays. A lane is an agent in a scene, one run of the
/// world with all its agents; in most worlds there is one.
template <Policy Net, AnyEnvironment World>
class Lanes {
 public:
  using S = typename Net::Scalar;
  using Action = typename World::Action;

  /// The scenes `of` all; capacity: how many steps a policy that looks back without limit can remember.
  Lanes(const Agent<Net>& agent, const World& world, Range of, std::uint64_t seed, Index capacity)
      : net_(agent.net),
        world_(world),
        agents_(std::size_t(agents_of(world))),
        first_(std::size_t(of.first) * agents_),
        past_(past_of(agent.net, agent.layout)),
        memory_(agent.layout, of.count * agents_of(world), {.columns = capacity, .chunk = chunk}),
        activations_(agent.layout),
        scenes_(std::size_t(of.count)),
        lanes_(scenes_.size() * agents_),
        actions_(agents_),
        outcomes_(agents_),
        allowed_(Tokens<bool>::Constant(masks_actions<World> ? actions_of(world) : 0, 1, true)),
        x_(world.observation(), Index(lanes_.size())),
        log_(world.observation()),
        before_(world.observation(), Index(lanes_.size())) {
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
      char name[32];
      std::snprintf(name, sizeof name, "lane %zu", first_ + i);
      lanes_[i].random = Random(seed, name);
      lanes_[i].own.reserve(std::size_t(std::max(world.time_limit(), Index(0))));
    }
  }

  /// Plays one whole episode in each. The policy sees observations as the normaliser has them, if there is one; what is
  /// kept is what the world showed.
  void run(const Parameters<S>& p, Choice choice, const RunningNormaliser* normaliser) {
    normaliser_ = normaliser;
    log_.clear();
    lived_from_ = 0;
    for (std::size_t i = 0; i < scenes_.size(); ++i) begin(i);
    play(p, choice, 0);
  }
  /// Plays so many steps in each, one episode following the other, from where they are.
  void run_steps(const Parameters<S>& p, Choice choice, Index steps, const RunningNormaliser* normaliser) {
    normaliser_ = normaliser;
    log_.clear();
    for (std::size_t i = 0; i < scenes_.size(); ++i)
      if (scenes_[i].open)
        take_up(i);
      else
        begin(i);
    lived_from_ = log_.columns();
    remember(p);
    play(p, choice, steps);
    keep_past();
  }

  /// Columns of x that was lived.
  Index columns() const { return log_.columns(); }
  /// Those of the last run alone, without their past.
  auto observed() const { return log_.x_from(lived_from_); }
  /// Sorts what was logged step by step into episodes, behind those that are there, and their columns into x.
  void append_to(Episodes<S, Action>& episodes, Write<S> x) const {
    for (const Lane& lane : lanes_) {
      for (std::size_t i : lane.own) {
        const auto& step = log_[i];
        detail::copy<S>(log_.x(i), x.middleCols(episodes.input.columns(), step.columns));
        episodes.input.append(step.columns);
        episodes.actions.push_back(step.action);
        episodes.allowed.append(log_.allowed(i));
        episodes.rewards.push_back(step.reward);
        episodes.log_probs.push_back(step.log_prob);
        episodes.values.push_back(step.value);
      }
      lane.append_to(episodes, Index(first_) + Index(&lane - lanes_.data()));
    }
  }

  /// Between runs.
  template <class Fields>
  void fields(Fields& f) {
    f("scenes", scenes_);
    f("lanes", lanes_);
    f("past", before_);
  }

 private:
  static constexpr Index chunk = 16;  // of the past, at a time

  using Phase = Lane::Phase;

  const typename World::State& state_of(std::size_t lane) const { return scenes_[lane / agents_].state; }
  Index agent_of(std::size_t lane) const { return Index(lane % agents_); }
  std::span<bool> mask() { return {allowed_.data(), std::size_t(allowed_.size())}; }
  std::span<Lane> lanes_of(std::size_t scene) { return std::span(lanes_).subspan(scene * agents_, agents_); }

  void play(const Parameters<S>& p, Choice choice, Index steps) {
    while (observe()) {
      net_.extend(p, x_.leftCols(activations_.columns(net_.input)), memory_, activations_);
      choose(choice);
      for (std::size_t scene = 0; scene < scenes_.size(); ++scene) step(scene, steps);
    }
  }
  void begin(std::size_t scene) {
    scenes_[scene].taken = 0;
    for (Lane& lane : lanes_of(scene)) lane.clear();
    start(scene);
  }
  void start(std::size_t scene) {
    scenes_[scene].state = world_.reset(lanes_of(scene)[0].random);
    scenes_[scene].open = true;
    for (Lane& lane : lanes_of(scene)) {
      lane.phase = Phase::acting;
      lane.open = true;
      lane.so_far = {};
      lane.parts.push_back({});
      memory_.forget(Index(&lane - lanes_.data()));
    }
  }
  /// What the coming steps look back at comes first in their part, with any mask: of that nothing is chosen anew.
  void take_up(std::size_t scene) {
    scenes_[scene].taken = 0;
    for (Lane& lane : lanes_of(scene)) {
      lane.clear();
      if (!lane.open) continue;
      const auto number = &lane - lanes_.data();
      const Index first = before_.time.first(number), past = before_.time.length(number);
      lane.phase = Phase::acting;
      lane.parts.push_back({.steps = past, .past = past});
      for (Index i = first; i < first + past; ++i)
        lane.own.push_back(log_.keep({.action = before_.actions[std::size_t(i)]}, before_.x(i), mask()));
    }
  }
  /// What the next run will look back at.
  void keep_past() {
    before_.clear();
    for (const Lane& lane : lanes_) {
      const Index past = lane.open ? std::min(lane.parts.back().steps, past_) : 0;
      before_.time.append(past);
      for (auto i = lane.own.end() - past; i != lane.own.end(); ++i) before_.append(log_[*i].action, log_.x(*i));
    }
  }
  /// The past of all lanes, encoded anew: with the parameters as they are now.
  void remember(const Parameters<S>& p) {
    const auto past = [&](Index i) { return lanes_[std::size_t(i)].past(); };
    const Index count = Index(lanes_.size());
    for (Index i = 0; i < count; ++i)
      if (past(i) > 0) memory_.forget(i);
    for (Index first = 0;; first += chunk) {
      const auto some = [&](Index i) { return std::clamp(past(i) - first, Index(0), chunk); };
      activations_.begin(net_.time, count, some);
      if (activations_.columns(net_.time) == 0) return;
      some_.clear();
      for (Index i = 0; i < count; ++i)
        for (Index t = 0; t < some(i); ++t) some_.push_back(lanes_[std::size_t(i)].own[std::size_t(first + t)]);
      begin_input(Index(some_.size()), [&](Index i) { return log_[some_[std::size_t(i)]].columns; });
      Index column = 0;
      for (std::size_t i : some_) {
        detail::copy<S>(log_.x(i), x_.middleCols(column, log_[i].columns));
        column += log_[i].columns;
      }
      normalise(column);
      net_.extend(p, x_.leftCols(column), memory_, activations_);
      memory_.advance();
    }
  }

  /// Says how many columns of x each step has, and makes room for them.
  template <class ColumnsOf>
  void begin_input(Index steps, ColumnsOf columns_of_step) {
    if (!(net_.input == net_.time)) activations_.begin(net_.input, steps, columns_of_step);
    const Index columns = activations_.columns(net_.input);
    if (x_.cols() < columns) x_.resize(x_.rows(), 2 * columns);
  }
  /// Writes what each lane that goes on sees into x_; false when there is none.
  bool observe() {
    const auto seen = [&](Index i) { return lanes_[std::size_t(i)].phase == Phase::done ? Index(0) : Index(1); };
    activations_.begin(net_.time, Index(lanes_.size()), seen);
    if (activations_.columns(net_.time) == 0) return false;
    going_.clear();
    for (std::size_t i = 0; i < lanes_.size(); ++i)
      if (lanes_[i].phase != Phase::done) going_.push_back(i);
    const auto columns = [&](std::size_t lane) { return columns_of(world_, state_of(lane), agent_of(lane)); };
    begin_input(Index(going_.size()), [&](Index i) { return columns(going_[std::size_t(i)]); });
    Index column = 0;
    for (std::size_t lane : going_) {
      auto x = x_.middleCols(column, columns(lane));
      heed::observe(world_, state_of(lane), agent_of(lane), Write<S>(x));
      if (!detail::all_finite<S>(x))
        detail::fail("Rollout: an observation is not finite at step %ld of episode %zu",
                     long(lanes_[lane].so_far.steps), first_ + lane);
      column += x.cols();
    }
    if (normaliser_) shown_ = x_;
    normalise(column);
    return true;
  }
  /// Makes of what the world showed what the policy sees.
  void normalise(Index columns) {
    if (normaliser_) normaliser_->normalise(x_.leftCols(columns), x_.leftCols(columns));
  }
  /// An action for each that acts; what was cut is valued.
  void choose(Choice choice) {
    Index column = 0;
    for (Index i = 0; i < Index(going_.size()); ++i) {
      const std::size_t number = going_[std::size_t(i)];
      Lane& lane = lanes_[number];
      const Index columns = columns_of(world_, state_of(number), agent_of(number));
      const auto handle = value_of(net_);
      const double value = handle ? double(activations_[handle](0, i)) : 0;
      if (lane.phase == Phase::closing) {
        lane.close(true, value);
      } else {
        allowed(world_, state_of(number), agent_of(number), mask());
        const Decision<Net, Action> policy(net_, activations_.view(), i, mask());
        const Action action = choice == Choice::sample ? policy.sample(lane.random) : policy.mode();
        lane.own.push_back(log_.keep({.action = action, .value = value, .log_prob = policy.log_prob(action)},
                                     (normaliser_ ? shown_ : x_).middleCols(column, columns), mask()));
      }
      column += columns;
    }
  }
  void step(std::size_t number, Index steps) {
    Scene<World>& scene = scenes_[number];
    const std::span<Lane> lanes = lanes_of(number);
    const auto some = [&](Phase phase) {
      return std::any_of(lanes.begin(), lanes.end(), [&](const Lane& lane) { return lane.phase == phase; });
    };
    if (some(Phase::acting)) {
      for (std::size_t i = 0; i < agents_; ++i)
        if (lanes[i].phase == Phase::acting) actions_[i] = given_to(world_, net_, log_[lanes[i].own.back()].action);
      heed::step(world_, scene.state, std::span<const Action>(actions_), std::span(outcomes_));
      ++scene.taken;
      scene.open = false;
      for (std::size_t i = 0; i < agents_; ++i) {
        if (lanes[i].phase == Phase::acting) take(lanes[i], outcomes_[i], scene.taken == steps);
        scene.open = scene.open || lanes[i].open;
      }
    }
    if (!scene.open && !some(Phase::closing) && scene.taken < steps) start(number);
  }
  void take(Lane& lane, const Outcome& outcome, bool last) {
    const std::size_t number = std::size_t(&lane - lanes_.data());
    if (!std::isfinite(outcome.reward))
      detail::fail("Rollout: the reward is %g at step %ld of episode %zu", outcome.reward, long(lane.so_far.steps),
                   first_ + number);
    log_[lane.own.back()].reward = outcome.reward;
    memory_.advance(Index(number));
    lane.take(outcome);
    if (lane.open && !last) return;
    const bool cut = lane.open || (outcome.truncated && !outcome.terminated);
    if (cut && value_of(net_))
      lane.phase = Phase::closing;
    else
      lane.close(cut, 0);
  }

  const Net net_;
  const World world_;
  std::size_t agents_, first_;
  Index past_;
  Memory<S> memory_;
  Activations<S> activations_;
  std::vector<Scene<World>> scenes_;
  std::vector<Lane> lanes_;
  std::vector<std::size_t> going_, some_;
  std::vector<Action> actions_;  // of one scene
  std::vector<Outcome> outcomes_;
  Tokens<bool> allowed_;                           // to one lane; empty where the world does not say
  Tokens<S> x_, shown_;                            // as the policy sees it; as the world showed it
  const RunningNormaliser* normaliser_ = nullptr;  // of this run
  Index lived_from_ = 0;                           // column of the log
  StepLog<S, Action> log_;                         // of this run
  PastSteps<S, Action> before_;                    // of the one before
};

}  // namespace heed

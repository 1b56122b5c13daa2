#pragma once
#include <algorithm>

#include "heed/rl/lanes.hpp"

namespace heed {

/// Plays episodes with a policy, all at once. Each lane has its own stream of random numbers, so what happens in one does not
/// depend on the others.
///
/// `run`: one episode a lane, each to its end (to take the first that finish would favour short ones); a lane that has
/// finished waits. `run_steps`: so many steps a lane, one episode following the other; the next call goes on where this
/// one stopped. What such a part looks back at, in its episode, is encoded anew with the parameters as they are then:
/// acting and learning see the same.
///
/// With a normaliser the policy sees all observations as the statistics have them at that time, those of the past, too,
/// and so do the episodes that are returned; it is only read. `take_in` is how it learns what was observed.
///
/// Many lanes of a large policy fall into groups, which depend on their number and the layout alone, and an executor such
/// as Threads may share the groups out: the episodes are the same bits whichever it is.
template <Policy Net, AnyEnvironment World>
class Rollout {
 public:
  using S = typename Net::Scalar;
  using Action = typename World::Action;

  /// capacity: how many steps a policy that looks back without limit can remember; 0: the world's time limit.
  Rollout(const Agent<Net>& agent, const World& world, Index episodes, std::uint64_t seed, Index capacity = 0)
      : parameters_(agent.layout.parameters()), observation_(world.observation()) {
    check(agent, world, episodes);
    const Index groups = groups_of(episodes, parameters_);
    groups_.reserve(std::size_t(groups));
    for (Index i = 0; i < groups; ++i) {
      const Index first = i * episodes / groups, end = (i + 1) * episodes / groups;
      groups_.emplace_back(agent, world, Range{first, end - first}, seed, room(agent.net, world, capacity));
    }
  }

  /// Plays one episode in each lane, and returns them all.
  const Episodes<S, Action>& run(const Parameters<S>& p, Choice choice = Choice::sample, Executor executor = {},
                                 const RunningNormaliser* normaliser = nullptr) {
    return play(p, executor, normaliser, [&](auto& group) { group.run(p, choice, normaliser); });
  }
  /// Plays so many steps in each lane.
  const Episodes<S, Action>& run_steps(const Parameters<S>& p, Index steps, Choice choice = Choice::sample,
                                       Executor executor = {}, const RunningNormaliser* normaliser = nullptr) {
    if (steps < 1) detail::fail("Rollout: %ld steps, but at least 1 is needed", long(steps));
    return play(p, executor, normaliser, [&](auto& group) { group.run_steps(p, choice, steps, normaliser); });
  }
  /// Takes what the world showed in the last run, each step once, into the statistics.
  void take_in(RunningNormaliser& normaliser) const {
    for (const auto& group : groups_) normaliser.update(group.observed());
  }

  template <class Fields>
  void fields(Fields& f) {
    f("groups", groups_);
  }

 private:
  template <class Group>
  const Episodes<S, Action>& play(const Parameters<S>& p, Executor executor, const RunningNormaliser* normaliser,
                                  Group play_group) {
    if (p.flat.size() != parameters_)
      detail::fail("Rollout: %ld parameters, but the agent has %ld", long(p.flat.size()), long(parameters_));
    executor.run(Index(groups_.size()), [&](Index i) { play_group(groups_[std::size_t(i)]); });
    episodes_.clear();
    Index columns = 0;
    for (const auto& group : groups_) columns += group.columns();
    const Write<S> x = episodes_.reserve(observation_, columns);
    for (auto& group : groups_) group.append_to(episodes_, x);
    if (normaliser) normaliser->normalise(x, x);
    return episodes_;
  }
  /// A step of a group is worth so many lanes x weights and so many lanes: less is sooner done in one.
  static Index groups_of(Index lanes, Index parameters) {
    constexpr Index most = 8, least_work = Index(1) << 17, least_lanes = 16;
    return detail::shards_worth({most, lanes / least_lanes, lanes * parameters / least_work});
  }
  static void check(const Agent<Net>& agent, const World& world, Index episodes) {
    if (episodes < 1) detail::fail("Rollout: %ld episodes, but at least 1 is needed", long(episodes));
    if (agents_of(world) < 1)
      detail::fail("Rollout: the world has %ld agents, but at least 1 is needed", long(agents_of(world)));
    detail::expect_fit("Rollout", agent.net, world);
    if constexpr (requires { agent.net.logits; })
      if (points(agent.net) && !(agent.net.logits.axis == agent.net.input))
        detail::fail("Rollout: the policy points along axis %d, but the entities lie along axis %d",
                     agent.net.logits.axis.id, Axis(agent.net.input).id);
    if constexpr (MultiDiscreteEnvironment<World>) {
      const Action choices = world.choices();
      if (!std::equal(choices.begin(), choices.end(), agent.net.choices.begin(), agent.net.choices.end()))
        detail::fail("Rollout: the policy's choices are among other numbers of actions than the world's");
    }
    if constexpr (ContinuousEnvironment<World>)
      if (squashes(agent.net) && !(world.low().allFinite() && world.high().allFinite()))
        detail::fail("Rollout: the policy's actions are to be squashed into bounds that are infinite");
  }
  static Index room(const Net& net, const World& world, Index capacity) {
    const Index steps = capacity != 0 ? capacity : world.time_limit();
    return steps > 0 && value_of(net) ? steps + 1 : steps;  // one for what a cut left
  }

  Index parameters_, observation_;
  std::vector<Lanes<Net, World>> groups_;
  Episodes<S, Action> episodes_;
};

/// The returns of some episodes: undiscounted sums of rewards.
struct Returns {
  Index episodes = 0, steps = 0;      ///< how many, and the steps of all
  double mean = 0, min = 0, max = 0;  ///< of the total rewards

  /// Of whole episodes.
  template <class S, class Action>
  static Returns of(const Episodes<S, Action>& episodes) {
    Returns r{.episodes = episodes.count(), .steps = episodes.steps()};
    for (Index e = 0; e < r.episodes; ++e) {
      const double total = episodes.total_reward(e);
      r.mean += total / double(r.episodes);
      r.min = e == 0 ? total : std::min(r.min, total);
      r.max = e == 0 ? total : std::max(r.max, total);
    }
    return r;
  }
};

/// Plays fresh episodes with the policy as it is, by default with its most probable actions. A policy that learned from
/// normalised observations needs the normaliser, `trainer.observation_normaliser()`.
template <Policy Net, AnyEnvironment World>
Returns evaluate(const Agent<Net>& agent, const World& world, Index episodes, std::uint64_t seed,
                 Choice choice = Choice::mode, Executor executor = {}, const RunningNormaliser* normaliser = nullptr) {
  return Returns::of(Rollout<Net, World>(agent, world, episodes, seed).run(agent.p, choice, executor, normaliser));
}

}  // namespace heed

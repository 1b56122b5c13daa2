#pragma once
#include <algorithm>
#include <array>
#include <concepts>
#include <numeric>
#include <span>
#include <type_traits>

#include "heed/core/random.hpp"
#include "heed/core/tokens.hpp"

namespace heed {

/// What a step brought. An episode is over when it is terminated (the task itself ended it: nothing follows) or truncated
/// (a time limit cut it: what would have followed is not shown). Both may be true.
struct Outcome {
  double reward = 0;                           ///< of the step
  bool terminated = false, truncated = false;  ///< by the task itself, or by a limit
  /// Whether no step follows.
  bool over() const { return terminated || truncated; }
};

/// What a trainer asks of an environment: a constant object with the rules, and plain States with all that changes, so
/// that thousands of episodes need one object and a state can be copied, kept and gone back to.
///
/// - `State`: trivially copyable. Randomness during an episode lives in it, too (Random is 8 bytes and may be a member).
/// - `Action`: `Index`, see DiscreteEnvironment, several of them, see MultiDiscreteEnvironment, or a vector, see
///   ContinuousEnvironment.
/// - `reset(random)`: the first state of an episode.
/// - `step(state, action)`: replaces the state by the next and says what that brought.
/// - `observation()`: the features of a column of what is observed.
/// - `observe(state, x)`: writes it, in float and in double. x is observation() x 1, see also EntityEnvironment.
/// - `time_limit()`: the most steps of an episode, 0 where there is no limit.
///
/// and, if some actions are not always allowed, see masks_actions,
///
/// - `allowed(state, mask)`: makes false what may not be chosen now; all is true before. mask: std::span<bool>, a number an
///   action, of several choices those of the first, then of the second and so on. One of each choice must be left.
template <class E>
concept Environment = std::is_trivially_copyable_v<typename E::State> &&
    requires(const E world, typename E::State& state, const typename E::State& seen, const typename E::Action& action,
             Random& random, Write<float> x, Write<double> precise) {
  { world.reset(random) } -> std::same_as<typename E::State>;
  { world.step(state, action) } -> std::same_as<Outcome>;
  { world.observation() } -> std::convertible_to<Index>;
  world.observe(seen, x);
  world.observe(seen, precise);
  { world.time_limit() } -> std::convertible_to<Index>;
};

/// Its actions are the numbers 0 to `actions()` - 1.
template <class E>
concept DiscreteEnvironment = Environment<E> && std::same_as<typename E::Action, Index> && requires(const E world) {
  { world.actions() } -> std::convertible_to<Index>;
};

/// Its actions are several numbers at once, `std::array<Index, n>`, each from 0 to that of `choices()` - 1.
template <class E>
concept MultiDiscreteEnvironment = Environment<E> &&
    std::same_as<typename E::Action, std::array<Index, std::tuple_size<typename E::Action>::value>> &&
    requires(const E world) {
  { world.choices() } -> std::convertible_to<typename E::Action>;
};

/// Its actions are vectors of doubles of a fixed size, `Eigen::Matrix<double, n, 1>`, each number between those of `low()`
/// and `high()`, which may be infinite.
template <class E>
concept ContinuousEnvironment =
    Environment<E> && std::same_as<typename E::Action, Eigen::Matrix<double, E::Action::RowsAtCompileTime, 1>> &&
    (E::Action::RowsAtCompileTime != Dynamic) &&
    requires(const E world) {
  { world.low() } -> std::convertible_to<typename E::Action>;
  { world.high() } -> std::convertible_to<typename E::Action>;
};

/// What is observed is a set, a column an entity: x is observation() x `entities(state)`, of which there may be none.
template <class E>
concept EntityEnvironment = Environment<E> && requires(const E world, const typename E::State& state) {
  { world.entities(state) } -> std::convertible_to<Index>;
};

/// What a trainer asks of an environment in which several agents act at the same time, each for itself, with one policy
/// for all: as Environment, but for
///
/// - `agents()`: how many there are, in all episodes. They are numbered from 0.
/// - `acts(state, agent)`: whether it is still there. All act at the start.
/// - `step(state, actions, outcomes)`: one action and one outcome an agent, all at once. The action of an agent that no
///   longer acts is ignored and its outcome is zero, Outcome(). An agent may be terminated before the others; a time
///   limit truncates all that act.
/// - `observe(state, agent, x)`: writes what it sees, observation() x 1; where it sees a set, observation() x
///   `entities(state, agent)`.
/// - `Action`: `Index`, from 0 to `actions()` - 1.
template <class E>
concept ManyAgentsEnvironment = std::is_trivially_copyable_v<typename E::State> &&
    std::same_as<typename E::Action, Index> &&
    requires(const E world, typename E::State& state, const typename E::State& seen, Index agent,
             std::span<const Index> actions, std::span<Outcome> outcomes, Random& random, Write<float> x,
             Write<double> precise) {
  { world.agents() } -> std::convertible_to<Index>;
  { world.acts(seen, agent) } -> std::same_as<bool>;
  { world.reset(random) } -> std::same_as<typename E::State>;
  world.step(state, actions, outcomes);
  { world.actions() } -> std::convertible_to<Index>;
  { world.observation() } -> std::convertible_to<Index>;
  world.observe(seen, agent, x);
  world.observe(seen, agent, precise);
  { world.time_limit() } -> std::convertible_to<Index>;
};

/// What trainers take: one agent, or many. The functions below are the same for both, so that a world with one agent is
/// one with many of which there is one.
template <class E>
concept AnyEnvironment = Environment<E> || ManyAgentsEnvironment<E>;

/// Whether what an agent sees is a set.
template <class E>
constexpr bool shows_entities = EntityEnvironment<E> || requires(const E world, const typename E::State& state) {
  { world.entities(state, Index(0)) } -> std::convertible_to<Index>;
};

/// Whether it says which actions are allowed. Policies then choose from these alone, in acting, learning and evaluation;
/// Dqn, and policies that point, do not ask.
template <class E>
constexpr bool masks_actions = requires(const E world, const typename E::State& state, std::span<bool> mask) {
  world.allowed(state, mask);
}
|| requires(const E world, const typename E::State& state, std::span<bool> mask) {
  world.allowed(state, Index(0), mask);
};

/// How many logits its actions have: their number, of several at once the sum; of vectors how many numbers they have.
template <AnyEnvironment E>
Index actions_of(const E& world) {
  if constexpr (MultiDiscreteEnvironment<E>) {
    const typename E::Action choices = world.choices();
    return std::accumulate(choices.begin(), choices.end(), Index(0));
  } else if constexpr (ContinuousEnvironment<E>) {
    return E::Action::RowsAtCompileTime;
  } else {
    return world.actions();
  }
}

/// How many act at the same time.
template <AnyEnvironment E>
Index agents_of(const E& world) {
  if constexpr (ManyAgentsEnvironment<E>)
    return world.agents();
  else
    return 1;
}

/// How many columns an agent sees.
template <AnyEnvironment E>
Index columns_of([[maybe_unused]] const E& world, [[maybe_unused]] const typename E::State& state,
                 [[maybe_unused]] Index agent = 0) {
  if constexpr (!shows_entities<E>)
    return 1;
  else if constexpr (ManyAgentsEnvironment<E>)
    return world.entities(state, agent);
  else
    return world.entities(state);
}

template <AnyEnvironment E, class S>
void observe(const E& world, const typename E::State& state, [[maybe_unused]] Index agent, Write<S> x) {
  if constexpr (ManyAgentsEnvironment<E>)
    world.observe(state, agent, x);
  else
    world.observe(state, x);
}

/// Which actions an agent may choose from, if the world says so: writes it into mask.
template <AnyEnvironment E>
void allowed([[maybe_unused]] const E& world, [[maybe_unused]] const typename E::State& state,
             [[maybe_unused]] Index agent, std::span<bool> mask) {
  std::fill(mask.begin(), mask.end(), true);
  if constexpr (masks_actions<E> && ManyAgentsEnvironment<E>)
    world.allowed(state, agent, mask);
  else if constexpr (masks_actions<E>)
    world.allowed(state, mask);
}

/// One action and one outcome an agent.
template <AnyEnvironment E>
void step(const E& world, typename E::State& state, std::span<const typename E::Action> actions,
          std::span<Outcome> outcomes) {
  if constexpr (ManyAgentsEnvironment<E>)
    world.step(state, actions, outcomes);
  else
    outcomes[0] = world.step(state, actions[0]);
}

}  // namespace heed

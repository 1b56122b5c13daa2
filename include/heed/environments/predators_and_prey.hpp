#pragma once
#include <array>
#include <cmath>
#include <cstdint>
#include <span>
#include <utility>

#include "heed/detail/episode.hpp"
#include "heed/rl/environment.hpp"

namespace heed {

/// Predators, who learn, hunt prey, that flees by a rule: predator-prey (Lowe et al. 2017, "simple_tag") for any number
/// of each, every one alive an entity to look at.
///
/// They move on a torus, a square that goes on at the opposite side: no place is special and none a corner, so that the
/// hunt is the same for few in a small square and for many in a large one. Its area is `area` for each predator. With
/// the same ratio of prey to predators the rewards of different numbers can thus be compared. Differences of positions,
/// d, are the shortest there are, |d_x| and |d_y| <= side / 2. In each step, of 0.1 s,
///
///   v += agility (wish - v), then position += 0.1 s v
///
///   predator: wish = speed u(action)          0: nowhere, 1 to 8: 45 degrees (action - 1) from the x-axis
///   prey: wish = prey_speed f / |f|, where f = sum of -d / |d|^2 over the predators nearer than `fear`; 0 without
///
/// all from positions before the step. Then prey with predators within `touch` is caught by them, and is gone. A catch
/// is 1: (1 - team) in equal parts to those that touch it, `team` in equal parts to all predators. So the mean reward
/// of a predator is the prey caught for each predator, of at most prey / predators.
///
/// A predator is a little faster than its prey. To hunt the nearest prey is good; better is to leave it to a predator
/// nearer to it, since predators that follow the same prey will go on to follow the same next one.
///
/// An episode starts with all anywhere, at rest, terminates for all when the last prey is caught, and is truncated at
/// the limit, also where it terminates there. All predators act to the end.
///
/// Each predator sees itself, in the first column, and all others that are left, in an order that is drawn for the
/// episode and says nothing. A column:
///
///   0, 1  d, its position seen from here, and 2: |d|  of itself: 0
///   3, 4  its velocity - own velocity                 of itself: own velocity
///   5, 6, 7  1 for itself, another predator, prey; else 0
class PredatorsAndPrey {
 public:
  static constexpr Index capacity = 64;  ///< of predators and prey
  /// In the square.
  struct Vector {
    double x = 0, y = 0;  ///< to the right, and down
  };
  /// A predator, or prey.
  struct Animal {
    Vector position, velocity;  ///< where it is, and how far it goes in a step
    bool alive = true;          ///< prey that was caught is not
  };
  struct State {
    std::array<Animal, std::size_t(capacity)> animals;      ///< predators, then prey
    std::array<std::uint8_t, std::size_t(capacity)> order;  ///< all of them, as they are seen
    Index left = 0;                                         ///< prey alive
    Index steps = 0;                                        ///< taken so far
  };
  struct Config {
    Index predators = 3, prey = 6;  ///< how many
    Index limit = 100;              ///< steps of an episode
    double area = 6;                ///< for each predator, m^2
    double speed = 1;               ///< of a predator, m/s
    double agility = 0.4;           ///< of a predator: how much of its wish it reaches in a step, in (0, 1]
    double prey_speed = 0.85, prey_agility = 0.35;  ///< of prey, as above
    double fear = 1.2;                              ///< from how near prey flees, m
    double touch = 0.3;                             ///< m
    double team = 0;                                ///< which part of a catch goes to all, in [0, 1]
  };
  using Action = Index;
  Config config;  ///< as it was told

  PredatorsAndPrey() : PredatorsAndPrey(Config{}) {}
  /// Throws where a setting cannot be.
  explicit PredatorsAndPrey(const Config& c) : config(checked(c)) {}

  Index agents() const { return config.predators; }
  bool acts(const State& s, Index agent) const {
    expect_agent(agent);
    return !over(s);
  }
  Index actions() const { return 9; }
  Index observation() const { return 8; }
  Index time_limit() const { return config.limit; }
  /// The length of a side of the square.
  double side() const { return std::sqrt(config.area * double(config.predators)); }

  State reset(Random& random) const {
    State s{};
    s.left = config.prey;
    for (Index i = 0; i < all(); ++i) {
      animal(s, i).position = {random.uniform(0, side()), random.uniform(0, side())};
      // A shuffle from the inside out: the newest takes a place, who was there the last.
      const Index place = random.below(i + 1);
      s.order[std::size_t(i)] = s.order[std::size_t(place)];
      s.order[std::size_t(place)] = std::uint8_t(i);
    }
    return s;
  }

  void step(State& s, std::span<const Action> actions, std::span<Outcome> outcomes) const {
    expect_all("actions", actions.size());
    expect_all("outcomes", outcomes.size());
    for (Action action : actions) detail::expect_action("PredatorsAndPrey", action, 9);
    detail::expect_going("PredatorsAndPrey", over(s), s.steps);
    for (Index i = 0; i < all(); ++i) {
      const bool prey = is_prey(i);
      const Vector wish = prey ? flight(s, i) : heading(actions[std::size_t(i)]);
      Vector& v = animal(s, i).velocity;
      const double agility = prey ? config.prey_agility : config.agility;
      v = {v.x + agility * (wish.x - v.x), v.y + agility * (wish.y - v.y)};
    }
    for (Index i = 0; i < all(); ++i) move(animal(s, i));
    for (Outcome& outcome : outcomes) outcome = {};
    for (Index i = config.predators; i < all(); ++i) catch_if_touched(s, i, outcomes);
    ++s.steps;
    for (Outcome& outcome : outcomes) {
      outcome.terminated = s.left == 0;
      outcome.truncated = s.steps >= config.limit;
    }
  }

  /// From animal i to animal j, the shortest way.
  Vector difference(const State& s, Index i, Index j) const {
    const Vector &from = animal(s, i).position, &to = animal(s, j).position;
    return {shortest(to.x - from.x), shortest(to.y - from.y)};
  }

  Index entities(const State& s, Index agent) const {
    expect_agent(agent);
    return config.predators + s.left;
  }

  template <class S>
  void observe(const State& s, Index agent, Write<S> x) const {
    detail::expect_shape("PredatorsAndPrey", "x", x, 8, entities(s, agent));
    const Vector own = animal(s, agent).velocity;
    x.setZero();
    x.col(0).template segment<2>(3) << S(own.x), S(own.y);
    x(5, 0) = 1;
    for (Index place = 0, column = 1; place < all(); ++place) {
      const Index i = s.order[std::size_t(place)];
      if (i == agent || !animal(s, i).alive) continue;
      const Vector d = difference(s, agent, i), v = animal(s, i).velocity;
      x.col(column).template head<5>() << S(d.x), S(d.y), S(length(d)), S(v.x - own.x), S(v.y - own.y);
      x(is_prey(i) ? 7 : 6, column++) = 1;
    }
  }

 private:
  static Config checked(const Config& c) {
    const char* who = "PredatorsAndPrey";
    detail::expect_at_least(who, "predators", c.predators, 1);
    detail::expect_at_least(who, "prey", c.prey, 1);
    detail::expect_at_least(who, "limit", c.limit, 1);
    if (c.predators + c.prey > capacity)
      detail::fail("%s: %ld predators and %ld prey, but there is room for %ld", who, long(c.predators), long(c.prey),
                   long(capacity));
    const auto expect = [&](bool right, const char* what, double is, const char* wanted) {
      if (!right) detail::fail("%s: %s %g, but it must be %s", who, what, is, wanted);
    };
    for (const auto& [what, is] : {std::pair{"area", c.area}, {"speed", c.speed}, {"touch", c.touch}})
      expect(is > 0, what, is, "positive");
    for (const auto& [what, is] : {std::pair{"prey_speed", c.prey_speed}, {"fear", c.fear}})
      expect(is >= 0, what, is, "at least 0");
    for (const auto& [what, is] : {std::pair{"agility", c.agility}, {"prey_agility", c.prey_agility}})
      expect(is > 0 && is <= 1, what, is, "in (0, 1]");
    expect(c.team >= 0 && c.team <= 1, "team", c.team, "in [0, 1]");
    return c;
  }
  void expect_agent(Index agent) const {
    if (agent < 0 || agent >= config.predators) [[unlikely]]
      detail::fail("PredatorsAndPrey: agent %ld is not one of 0 to %ld", long(agent), long(config.predators - 1));
  }
  void expect_all(const char* what, std::size_t n) const {
    if (Index(n) != config.predators) [[unlikely]]
      detail::fail("PredatorsAndPrey: %ld %s for %ld agents", long(n), what, long(config.predators));
  }

  Index all() const { return config.predators + config.prey; }
  bool is_prey(Index i) const { return i >= config.predators; }
  bool over(const State& s) const { return s.left == 0 || s.steps >= config.limit; }
  static Animal& animal(State& s, Index i) { return s.animals[std::size_t(i)]; }
  static const Animal& animal(const State& s, Index i) { return s.animals[std::size_t(i)]; }
  static double length(Vector v) { return std::sqrt(v.x * v.x + v.y * v.y); }
  double shortest(double difference) const { return std::remainder(difference, side()); }

  /// What a predator wants to do.
  Vector heading(Action action) const {
    constexpr double slant = 0.70710678118654752;
    constexpr Vector to[] = {{0, 0},  {1, 0},           {slant, slant}, {0, 1},         {-slant, slant},
                             {-1, 0}, {-slant, -slant}, {0, -1},        {slant, -slant}};
    return {config.speed * to[action].x, config.speed * to[action].y};
  }
  /// What prey wants to do.
  Vector flight(const State& s, Index prey) const {
    Vector f;
    for (Index i = 0; i < config.predators; ++i) {
      const Vector d = difference(s, prey, i);
      const double square = d.x * d.x + d.y * d.y;
      if (square >= config.fear * config.fear || square == 0) continue;
      f.x -= d.x / square;
      f.y -= d.y / square;
    }
    const double size = length(f);
    return size > 0 ? Vector{config.prey_speed * f.x / size, config.prey_speed * f.y / size} : Vector{};
  }
  void move(Animal& a) const {
    constexpr double duration = 0.1;
    const auto wrapped = [side = side()](double x) { return x - side * std::floor(x / side); };
    a.position = {wrapped(a.position.x + duration * a.velocity.x), wrapped(a.position.y + duration * a.velocity.y)};
  }
  void catch_if_touched(State& s, Index prey, std::span<Outcome> outcomes) const {
    if (!animal(s, prey).alive) return;
    const auto touches = [&](Index i) { return length(difference(s, prey, i)) <= config.touch; };
    Index hands = 0;
    for (Index i = 0; i < config.predators; ++i) hands += touches(i);
    if (hands == 0) return;
    for (Index i = 0; i < config.predators; ++i)
      outcomes[std::size_t(i)].reward +=
          config.team / double(config.predators) + (touches(i) ? (1 - config.team) / double(hands) : 0);
    animal(s, prey).alive = false;
    --s.left;
  }
};
static_assert(ManyAgentsEnvironment<PredatorsAndPrey>);

}  // namespace heed

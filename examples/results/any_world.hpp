#pragma once
#include <cstring>
#include <heed/heed.hpp>
#include <memory>

/// Any world of discrete actions that shows one column, as one type: each trainer with each network is compiled once and
/// not for each world. A state is the bytes of the world's own.
class AnyWorld {
 public:
  struct State {
    alignas(16) std::byte bytes[1024];
  };
  using Action = heed::Index;

  template <heed::DiscreteEnvironment World>
  AnyWorld(const World& world) : world_(std::make_shared<Of<World>>(world)) {}

  heed::Index actions() const { return world_->actions; }
  heed::Index observation() const { return world_->observation; }
  heed::Index time_limit() const { return world_->limit; }
  State reset(heed::Random& random) const { return world_->reset(random); }
  heed::Outcome step(State& s, Action action) const { return world_->step(s, action); }
  template <class S>
  void observe(const State& s, heed::Write<S> x) const {
    world_->observe(s, x);
  }

 private:
  struct Interface {
    heed::Index actions, observation, limit;
    template <class World>
    explicit Interface(const World& world)
        : actions(world.actions()), observation(world.observation()), limit(world.time_limit()) {}
    virtual ~Interface() = default;
    virtual State reset(heed::Random& random) const = 0;
    virtual heed::Outcome step(State& s, Action action) const = 0;
    virtual void observe(const State& s, heed::Write<float> x) const = 0;
    virtual void observe(const State& s, heed::Write<double> x) const = 0;
  };
  template <class World>
  struct Of : Interface {
    using Inner = typename World::State;
    static_assert(sizeof(Inner) <= sizeof(State) && alignof(Inner) <= 16);
    World world;
    explicit Of(const World& w) : Interface(w), world(w) {}
    State reset(heed::Random& random) const override {
      State s{};
      new (s.bytes) Inner(world.reset(random));
      return s;
    }
    heed::Outcome step(State& s, Action action) const override { return world.step(inner(s), action); }
    void observe(const State& s, heed::Write<float> x) const override { world.observe(inner(s), x); }
    void observe(const State& s, heed::Write<double> x) const override { world.observe(inner(s), x); }
    static Inner& inner(State& s) { return *std::launder(reinterpret_cast<Inner*>(s.bytes)); }
    static const Inner& inner(const State& s) { return *std::launder(reinterpret_cast<const Inner*>(s.bytes)); }
  };
  std::shared_ptr<const Interface> world_;
};

// The cart, the pole and the policy of the page, compiled to WebAssembly: functions of numbers that live.js calls.
#include <cmath>
#include <heed/core/agent.hpp>
#include <heed/distributions/categorical.hpp>
#include <heed/environments/cart_pole.hpp>
#include <heed/networks/attention_policy.hpp>

/// live.js makes a JavaScript error of the message, so it does not return.
extern "C" [[clang::import_module("page"), clang::import_name("fail")]] void fail(const char* message);

namespace {

[[maybe_unused]] const auto report = heed::error_handler() = [](const char* message) { fail(message); };

const heed::CartPole world(/*limit*/ 0);  // goes on where training ends, after 500 steps
heed::Agent<heed::AttentionPolicy<float>> agent({.observation = 4, .actions = 2, .value = true});
heed::Memory<float> memory(agent.layout, /*lanes*/ 1);
heed::Activations<float> a(agent.layout);
heed::Tokens<float> x(4, 1);
heed::CartPole::State state;
bool up = false;

auto decision() { return heed::Categorical<float>(a[agent.net.logits], 0); }

void decide() {
  world.observe(state, heed::Write<float>(x));
  agent.net.extend(agent.p, x, memory, a);
  memory.advance();
}

}  // namespace

extern "C" {

// The weights, in the order of a file of heed::save.
[[clang::export_name("parameters")]] float* parameters() { return agent.p.flat.data(); }
[[clang::export_name("parameter_count")]] int parameter_count() { return int(agent.p.flat.size()); }

/// Starts an episode.
[[clang::export_name("reset")]] void reset(unsigned seed) {
  heed::Random random(seed);
  state = world.reset(random);
  up = true;
  memory.forget();
  a.begin(agent.time, {1});
  decide();
}

/// Does what was decided, and decides what is next. Says whether the pole is up; once it fell, nothing moves.
[[clang::export_name("step")]] bool step() {
  if (!up) return false;
  up = !world.step(state, decision().mode()).terminated;
  if (up) decide();
  return up;
}

/// A blow to the cart, in newton seconds, to the right. The world's equations are linear in the force, so how its two
/// actions differ says what 20 N do in 0.02 s.
[[clang::export_name("push")]] bool push(double impulse) {
  if (!up || !std::isfinite(impulse)) return false;
  heed::CartPole::State left = state, right = state;
  world.step(left, 0);
  world.step(right, 1);
  const double share = impulse / (20 * 0.02);
  state.speed += share * (right.speed - left.speed);
  state.angular_speed += share * (right.angular_speed - left.angular_speed);
  return true;
}

[[clang::export_name("steps")]] int steps() { return int(state.steps); }
[[clang::export_name("position")]] double position() { return state.position; }
[[clang::export_name("angle")]] double angle() { return state.angle; }

/// Of what is decided: to the left (0) or to the right (1).
[[clang::export_name("probability")]] double probability(int action) { return std::exp(decision().log_prob(action)); }

[[clang::export_name("window")]] int window() { return int(agent.net.body.attention.window); }
/// How much the observation of so many steps ago counts; 0 where the episode has none.
[[clang::export_name("attention")]] double attention(int ago) {
  const auto weights = a[agent.net.body.attention.attention.weights];
  return ago >= 0 && ago < weights.cols() ? weights(0, weights.cols() - 1 - ago) : 0;
}
}

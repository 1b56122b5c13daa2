// An environment of one's own, and a policy for it by PPO: a cart on a rail is to be brought to a place and to rest there,
// of which only its position is shown. Its speed has to be told from where it was.
#include <cmath>
#include <cstdio>
#include <heed/heed.hpp>

/// Rules are a constant object, all that changes is a State. That is the whole of what a trainer asks for.
class Rail {
 public:
  struct State {
    double position, speed, target;
    heed::Index steps = 0;
  };
  using Action = Eigen::Matrix<double, 1, 1>;  // the force; Index, and actions(), where there are some to choose from

  Action low() const { return Action(-1.0); }
  Action high() const { return Action(1.0); }
  heed::Index observation() const { return 2; }
  heed::Index time_limit() const { return 60; }

  State reset(heed::Random& random) const {
    return {.position = random.uniform(-1, 1), .speed = 0, .target = random.uniform(-1, 1)};
  }
  heed::Outcome step(State& s, const Action& force) const {
    s.speed = 0.9 * s.speed + 0.1 * force[0];
    s.position += 0.2 * s.speed;
    const double away = std::abs(s.position - s.target);
    return {.reward = -away, .truncated = ++s.steps == time_limit()};
  }
  template <class S>
  void observe(const State& s, heed::Write<S> x) const {
    x.col(0) << S(s.position), S(s.target);
  }
};
static_assert(heed::ContinuousEnvironment<Rail>);

/// A policy of one's own, made of what is there: attention over the last observations, and a Gaussian.
struct Config {
  heed::Index observation = 2, actions = 1;
  heed::Index window = 4, width = 32, hidden = 64;
  bool value = true;
  double log_std = -0.5;
};
using RailPolicy = heed::GaussianPolicyNetwork<heed::AttentionBody<float>, Config>;

int main() {
  const Rail world;
  heed::Agent<RailPolicy> agent(Config{}, /*seed*/ 1);
  heed::PpoConfig config{.learning_rate = 1e-3, .schedule = {.shape = heed::Schedule::linear}, .total_steps = 200'000};
  config.gamma = 0.98;
  config.lambda = 0.95;
  config.reward_scale = 0.5;
  config.epochs = 10;
  config.minibatches = 8;
  config.entropy = 0;
  heed::Ppo trainer(agent, world, config);
  const double before = heed::evaluate(agent, world, 200, /*seed*/ 2).mean;
  while (trainer.steps() < config.total_steps) {
    const heed::PpoStatistics s = trainer.iterate();
    if (s.steps % 20'480 == 0) std::printf("%6ld steps: mean return %.2f\n", long(s.steps), trainer.mean_return());
  }
  const double after = heed::evaluate(agent, world, 200, /*seed*/ 2).mean;
  std::printf("mean distance over an episode: %.3f before, %.3f after\n", -before / 60, -after / 60);

  std::printf("\none episode, position . and target |:\n");
  heed::Rollout rollout(agent, world, 1, /*seed*/ 5);
  const auto& episode = rollout.run(agent.p, heed::Choice::mode);
  for (heed::Index t = 0; t < episode.steps(); t += 3) {
    char line[42] = "                                         ";
    const auto cell = [&](float x) { return std::size_t(std::lround(20 + 16 * std::clamp(x, -1.2f, 1.2f))); };
    line[cell(episode.x()(1, t))] = '|';
    line[cell(episode.x()(0, t))] = 'o';
    std::printf("  %2ld %s\n", long(t), line);
  }
  return after > -12 ? 0 : 1;
}

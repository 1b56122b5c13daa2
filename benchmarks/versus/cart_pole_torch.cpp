// Cart-pole by REINFORCE with LibTorch, as fast as its own operations and autograd make it: episodes side by side,
// plain buffers wrapped by from_blob, weights stored in x out as addmm likes them, activations in place, acting in
// InferenceMode, one forward, backward and step of Adam over all steps of a batch.
#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <heed/environments/cart_pole.hpp>
#include <heed/networks/attention_policy.hpp>
#include <heed/networks/mlp_policy.hpp>

#include "cart_pole.hpp"
#if __has_include(<malloc.h>)
#include <malloc.h>
#endif

namespace {

using heed::Index;
using torch::Tensor;
constexpr Index features = 4;  // of an observation

/// glibc's allocator keeps what it was given back: LibTorch allocates every result anew.
void keep_memory() {
#ifdef M_MMAP_MAX
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  mallopt(M_TOP_PAD, 64 << 20);
#endif
}

/// The weights of heed's agent by name, matrices transposed.
template <class Net>
struct Weights {
  heed::Agent<Net> agent;
  std::vector<Tensor> trained;

  Weights(const typename Net::Config& config, std::uint64_t seed) : agent(config, seed) {}
  Tensor operator()(const std::string& name) {
    for (const heed::Entry& e : agent.layout.entries()) {
      if (e.name != name) continue;
      float* const data = agent.p.flat.data() + e.offset;
      const Tensor w = torch::from_blob(data, {e.shape.rows(), e.shape.cols()});
      const Tensor own = (e.shape.rank() == 1 ? w.flatten() : w.t()).clone(at::MemoryFormat::Contiguous);
      if (e.use.trained) trained.push_back(own.requires_grad_());
      return own;
    }
    throw std::runtime_error("heed's policy has no weight " + name);
  }
};

/// logits(x, n, length, sight): of n steps, each seen through the last `length` observations.
///
///   x: [n length, 4]    sight: [n length], 0 for what is there and -inf for what is not; undefined where all is
struct Mlp {
  static constexpr Index window = 1;
  Weights<heed::MlpPolicy<float>> w;
  Tensor w0 = w("layers.0.weight"), b0 = w("layers.0.bias"), w1 = w("layers.1.weight"), b1 = w("layers.1.bias");
  Tensor policy = w("policy.weight"), policy_bias = w("policy.bias");

  explicit Mlp(std::uint64_t seed) : w({.observation = features, .actions = 2}, seed) {}
  Tensor logits(const Tensor& x, Index, Index, const Tensor&) const {
    return at::addmm(policy_bias, at::addmm(b1, at::addmm(b0, x, w0).tanh_(), w1).tanh_(), policy);
  }
};

struct Attention {
  static constexpr Index window = heed::AttentionPolicyConfig().window;
  Weights<heed::AttentionPolicy<float>> w;
  Tensor embedding = w("embedding.weight"), embedding_bias = w("embedding.bias");
  Tensor positions = w("positions").t().contiguous();  // [window, width]
  Tensor alignment = w("attention.attention.weight"), alignment_bias = w("attention.attention.bias");
  Tensor context = w("attention.context_vector");
  Tensor hidden = w("hidden.weight"), hidden_bias = w("hidden.bias");
  Tensor policy = w("policy.weight"), policy_bias = w("policy.bias");

  explicit Attention(std::uint64_t seed) : w({.observation = features, .actions = 2}, seed) {}
  Tensor logits(const Tensor& x, Index n, Index length, const Tensor& sight) const {
    const Tensor embedded = at::addmm(embedding_bias, x, embedding).view({n, length, -1});
    const Tensor tokens = embedded + positions.narrow(0, window - length, length);
    Tensor scores = at::mv(at::addmm(alignment_bias, tokens.view({n * length, -1}), alignment).tanh_(), context);
    if (sight.defined()) scores = scores.add_(sight);
    const Tensor pooled = at::bmm(at::softmax(scores.view({n, length}), 1).unsqueeze(1), tokens).squeeze(1);
    return at::addmm(policy_bias, at::addmm(hidden_bias, pooled, hidden).tanh_(), policy);
  }
};

template <class Net>
class Side {
 public:
  Side(Index episodes, std::uint64_t seed)
      : config_(versus::reinforce(episodes, seed)),
        net_(seed),
        adam_(net_.w.trained, torch::optim::AdamOptions(config_.learning_rate)),
        x_(std::size_t(episodes * Net::window * features)),
        all_(torch::from_blob(x_.data(), {episodes * Net::window, features})) {
    for (Index i = 0; i < episodes; ++i) lanes_.emplace_back(seed, "lane " + std::to_string(i));
  }

  heed::Returns play() {
    const c10::InferenceMode inference;
    going_.clear();
    for (Lane& lane : lanes_) {
      lane.state = world_.reset(lane.random);
      lane.seen.clear(), lane.actions.clear(), lane.rewards.clear();
      going_.push_back(&lane);
    }
    Tensor x;
    for (Index t = 1, shown = 0; !going_.empty(); ++t) {
      const Index n = Index(going_.size()), length = std::min(t, Net::window);
      for (Index i = 0; i < n; ++i) going_[std::size_t(i)]->observe(x_.data() + i * length * features, length);
      if (shown != n * length) x = all_.narrow(0, 0, shown = n * length);
      const Tensor logits = net_.logits(x, n, length, {});
      const float* logit = logits.data_ptr<float>();
      for (Lane* lane : going_) lane->step(world_, logit), logit += 2;
      std::erase_if(going_, [](const Lane* lane) { return lane->over; });
    }
    return returns();
  }

  heed::Returns learn() {
    const heed::Returns played = play();
    collect(played.steps);
    const auto of = [](auto& numbers, at::IntArrayRef shape, torch::Dtype type) {
      return torch::from_blob(numbers.data(), shape, type);
    };
    const Index n = played.steps;
    const Tensor x = of(windows_, {n * Net::window, features}, torch::kFloat);
    const Tensor sight = Net::window > 1 ? of(sight_, {n * Net::window}, torch::kFloat) : Tensor();
    const Tensor log_p = at::log_softmax(net_.logits(x, n, Net::window, sight), 1);
    const Tensor chosen = log_p.gather(1, of(actions_, {n, 1}, torch::kLong)).view({n});
    const Tensor gained = at::dot(chosen, of(advantages_, {n}, torch::kFloat));
    const Tensor entropy = -at::dot(log_p.exp().view({-1}), log_p.view({-1}));
    for (Tensor& weight : net_.w.trained) weight.mutable_grad().reset();
    ((gained + config_.entropy * entropy) * (-1 / double(lanes_.size()))).backward();
    adam_.step();
    return played;
  }

 private:
  struct Lane {
    heed::CartPole::State state{};
    heed::Random random;
    std::vector<float> seen;
    std::vector<std::int64_t> actions;
    std::vector<double> rewards;
    bool over = false;

    Lane(std::uint64_t seed, const std::string& name) : random(seed, name) {}
    Index steps() const { return Index(actions.size()); }
    /// Adds what it sees to what it saw, and writes the last `length` of these.
    void observe(float* x, Index length) {
      for (double v : {state.position, state.speed, state.angle, state.angular_speed}) seen.push_back(float(v));
      std::copy(seen.end() - length * features, seen.end(), x);
    }
    void step(const heed::CartPole& world, const float* logit) {
      const double p1 = 1 / (1 + std::exp(double(logit[0]) - double(logit[1])));
      actions.push_back(random.uniform() < 1 - p1 ? 0 : 1);
      const heed::Outcome outcome = world.step(state, actions.back());
      rewards.push_back(outcome.reward);
      over = outcome.over();
    }
  };

  heed::Returns returns() const {
    heed::Returns r{.episodes = Index(lanes_.size())};
    for (const Lane& lane : lanes_) {
      r.steps += lane.steps();
      for (double reward : lane.rewards) r.mean += reward / double(r.episodes);
    }
    return r;
  }

  /// The batch, one episode behind the other.
  void collect(Index steps) {
    windows_.assign(std::size_t(steps * Net::window * features), 0);
    sight_.assign(std::size_t(steps * Net::window), 0);
    actions_.clear();
    returns_.resize(std::size_t(steps));
    float *x = windows_.data(), *sight = sight_.data();
    for (const Lane& lane : lanes_) {
      for (Index t = 0; t < lane.steps(); ++t, x += Net::window * features, sight += Net::window) {
        const Index length = std::min(t + 1, Net::window), missing = Net::window - length;
        const auto end = lane.seen.begin() + (t + 1) * features;
        std::copy(end - length * features, end, x + missing * features);
        std::fill(sight, sight + missing, -std::numeric_limits<float>::infinity());
      }
      double following = 0;
      for (Index t = lane.steps(); t-- > 0;) {
        following = lane.rewards[std::size_t(t)] + config_.gamma * following;
        returns_[actions_.size() + std::size_t(t)] = following;
      }
      actions_.insert(actions_.end(), lane.actions.begin(), lane.actions.end());
    }
    advantages();
  }

  /// The returns, normalised: no matter what constant was subtracted before.
  void advantages() {
    const Eigen::Map<const Eigen::ArrayXd> g(returns_.data(), Index(returns_.size()));
    const double mean = g.mean(), deviation = std::sqrt((g - mean).square().mean());
    advantages_.resize(returns_.size());
    for (std::size_t t = 0; t < returns_.size(); ++t) advantages_[t] = float((returns_[t] - mean) / (deviation + 1e-8));
  }

  heed::ReinforceConfig config_;
  heed::CartPole world_;
  Net net_;
  torch::optim::Adam adam_;
  std::vector<Lane> lanes_;
  std::vector<Lane*> going_;
  std::vector<float> x_;
  Tensor all_;
  std::vector<float> windows_, sight_, advantages_;
  std::vector<std::int64_t> actions_;
  std::vector<double> returns_;
};

template <class Net>
versus::Trainer make(Index episodes, std::uint64_t seed) {
  const auto side = std::make_shared<Side<Net>>(episodes, seed);
  return {.learn = [side] { return side->learn(); }, .play = [side] { return side->play(); }};
}

}  // namespace

int main(int argc, char** argv) {
  keep_memory();
  at::set_num_threads(1);
  return versus::train(argc, argv, [](bool attention, Index episodes, std::uint64_t seed) {
    return attention ? make<Attention>(episodes, seed) : make<Mlp>(episodes, seed);
  });
}

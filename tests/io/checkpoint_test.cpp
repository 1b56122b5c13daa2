#include "heed/io/checkpoint.hpp"

#include "heed/core/threads.hpp"
#include "heed/environments/cart_pole.hpp"
#include "heed/environments/pendulum.hpp"
#include "heed/environments/predators_and_prey.hpp"
#include "heed/io/safetensors.hpp"
#include "heed/layers/gru.hpp"
#include "heed/layers/multi_head_attention.hpp"
#include "heed/networks/attention_policy.hpp"
#include "heed/networks/attention_q.hpp"
#include "heed/networks/entity_policy.hpp"
#include "heed/networks/entity_q.hpp"
#include "heed/networks/mlp_policy.hpp"
#include "heed/networks/mlp_q.hpp"
#include "heed/networks/transformer_policy.hpp"
#include "heed/networks/with_critic.hpp"
#include "heed/optimizers/sgd.hpp"
#include "heed/rl/dqn.hpp"
#include "heed/rl/ppo.hpp"
#include "heed/rl/reinforce.hpp"
#include "heed/rl/reward_normaliser.hpp"
#include "support/files.hpp"
#if !defined(_WIN32)
#include <sys/wait.h>

#include <csignal>
#endif

namespace {

using namespace heed;
using namespace std::string_literals;
namespace fs = std::filesystem;
using support::bytes;
using support::file_of;
using support::Folder;
using support::read;
using support::require_file_error;
using support::write;

/// An agent and its trainer. All that is random begins with the seed.
template <class Trainer, class Net, class World>
struct Run {
  Agent<Net> agent;
  Trainer trainer;

  Run(const typename Net::Config& net, const World& world, decltype(Trainer::config) config, std::uint64_t seed,
      Executor executor = {})
      : agent(net, seed), trainer(agent, world, seeded(config, seed), executor) {}
  void iterate(int times) {
    for (int i = 0; i < times; ++i) trainer.iterate();
  }

 private:
  template <class Config>
  static Config seeded(Config config, std::uint64_t seed) {
    config.seed = seed;
    return config;
  }
};

/// What the trainer is to go on with, as a checkpoint has it.
template <class T>
std::string state_of(T& thing) {
  const Folder folder;
  save_checkpoint(folder / "state", thing);
  return read(folder / "state");
}

/// Names, kinds and numbers of all fields, without a file.
struct Bits {
  std::string all;
  void block(const detail::Described& field, const void* data) {
    const detail::TensorInfo info{.name = field.name, .dtype = field.dtype, .shape = field.shape};
    all += field.name + field.dtype + detail::shown(field.shape);
    all.append(static_cast<const char*>(data), *info.bytes());
  }
  template <class T>
  void vector(const detail::Described& field, const std::vector<T>& values) {
    block(field, values.data());
  }
  bool same(const detail::Described& field, std::int64_t number) {
    block(field, &number);
    return true;
  }
  template <class T>
  void thing(detail::FieldWalk<Bits>& walk, T& thing) {
    thing.fields(walk);
  }
};
template <class T>
std::string bits_of(T& thing) {
  Bits bits;
  detail::walk_through(bits, thing);
  return bits.all;
}

/// Training that was stopped goes on, in another trainer of another seed and with other threads, as if it had not been.
template <class Trainer, class Net, class World, class Config>
void check_resumes(const typename Net::Config& net, const World& world, const Config& config) {
  using R = Run<Trainer, Net, World>;
  R whole(net, world, config, 1);
  whole.iterate(5);

  const Folder folder;
  R first(net, world, config, 1);
  first.iterate(2);
  save_checkpoint(folder / "run.ckpt", first.trainer);
  first.iterate(3);
  CHECK(first.agent.p.flat == whole.agent.p.flat);

  Threads threads(3);
  for (const int lived : {0, 1}) {
    R second(net, world, config, 99, threads);
    second.iterate(lived);
    load_checkpoint(folder / "run.ckpt", second.trainer);
    CHECK(state_of(second.trainer) == read(folder / "run.ckpt"));
    second.iterate(3);
    CHECK(second.agent.p.flat == whole.agent.p.flat);
    CHECK(second.trainer.mean_return() == whole.trainer.mean_return());
    CHECK(second.trainer.episodes() == whole.trainer.episodes());
    CHECK(bits_of(second.trainer) == bits_of(whole.trainer));
  }
  CHECK(folder.names() == std::vector{"run.ckpt"s});
}

template <class Net, class World>
void check_ppo(const typename Net::Config& net, const World& world, const PpoConfig& config) {
  check_resumes<Ppo<Net, World>, Net>(net, world, config);
}

/// Of the steps that are lived not all are kept.
template <class Net, class World>
void check_dqn(const typename Net::Config& net, const World& world, Index columns) {
  for (const double priority : {0.0, 0.6})
    check_resumes<Dqn<Net, World>, Net>(net, world,
                                        DqnConfig{.n_step = 2,
                                                  .lanes = 3,
                                                  .steps = 23,
                                                  .epsilon_steps = 200,
                                                  .room = 150,
                                                  .columns = columns,
                                                  .priority = priority,
                                                  .learning_starts = 60,
                                                  .learn_every = 5,
                                                  .batch = 8,
                                                  .target_every = 4,
                                                  .recent = 5});
}

/// CartPole shown as its four numbers in any order, some of them missing, a column each.
struct Scattered : CartPole {
  using CartPole::CartPole;
  struct State {
    CartPole::State pole;
    std::uint64_t order = 0;
  };
  State reset(Random& random) const { return {CartPole::reset(random), random.bits()}; }
  Outcome step(State& s, Index action) const {
    s.order = Random(s.order).bits();
    return CartPole::step(s.pole, action);
  }
  Index observation() const { return 2; }
  Index entities(const State& s) const { return Index(s.order % 5); }
  template <class S>
  void observe(const State& s, Write<S> x) const {
    Tokens<S> plain(4, 1);
    CartPole::observe(s.pole, Write<S>(plain));
    for (Index i = 0; i < x.cols(); ++i) {
      const Index which = Index(s.order / 5 + std::uint64_t(i)) % 4;
      x.col(i) << S(which), plain(which, 0);
    }
  }
};

/// A user's own state, with bytes between its members that nobody writes.
struct Drift {
  struct State {
    bool left = false;
    double place = 0;
    char steps = 0;
    Random random{0};
  };
  using Action = Index;
  State reset(Random& random) const {
    State s;
    s.left = random.below(2) == 1;
    s.random = Random(random.bits());
    return s;
  }
  Outcome step(State& s, Index action) const {
    s.place += 0.1 * s.random.normal() + (s.left == (action == 1) ? 0.1 : -0.1);
    return {.reward = s.place, .terminated = std::abs(s.place) > 1, .truncated = ++s.steps == 30};
  }
  Index observation() const { return 2; }
  Index actions() const { return 2; }
  Index time_limit() const { return 30; }
  template <class S>
  void observe(const State& s, Write<S> x) const {
    x.col(0) << S(s.left), S(s.place);
  }
};

/// One of everything that a field can be.
struct Child {
  Index age = 0;
  Random random{0};
  template <class Fields>
  void fields(Fields& f) {
    f("age", age);
    f("random", random);
  }
};
struct Plain {
  float x = 0;
  int n = 0;
};
struct Everything {
  double number = 1.5;
  float narrow = -2;
  bool flag = true;
  Index count = 3;
  std::uint8_t small = 4;
  Plain plain{0.5f, 7};
  std::vector<double> log{1, 2, 3};
  std::vector<Plain> plains{{1, 2}, {3, 4}};
  std::vector<Eigen::Vector2f> actions{{5, 6}, {7, 8}, {9, 10}};
  Eigen::MatrixXf matrix = Eigen::MatrixXf::Constant(2, 3, 0.25f);
  Eigen::Matrix<double, 2, 2, Eigen::RowMajor> fixed = Eigen::Matrix2d::Identity();
  std::vector<Child> children{{.age = 1}, {.age = 2}};
  RecentReturns recent{2};
  Index lanes = 8;

  template <class Fields>
  void fields(Fields& f) {
    f("number", number);
    f("narrow", narrow);
    f("flag", flag);
    f("count", count);
    f("small", small);
    f("plain", plain);
    f("log", log);
    f("plains", plains);
    f("actions", actions);
    f("matrix", matrix);
    f("fixed", fixed);
    f("children", children);
    f("recent", recent);
    f.same("lanes", lanes);
  }
};
/// In another state.
Everything other() {
  Everything e;
  e.number = e.narrow = 9;
  e.flag = false;
  e.count = e.small = 9;
  e.plain = {};
  e.log.clear();
  e.plains.resize(5);
  e.actions.resize(1);
  e.matrix.setZero(), e.fixed.setZero();
  e.children[1].age = 50;
  e.recent.add(1), e.recent.add(2), e.recent.add(3);
  return e;
}

struct Small {
  bool flag = true;
  Random random{0};
  Eigen::Vector2f x{1, -2};
  std::vector<Index> log{};
  Eigen::Matrix<float, 1, 3> row{4, 5, 6};
  Eigen::Matrix<float, 2, 3> columns = Eigen::Matrix<float, 2, 3>::Constant(7);
  template <class Fields>
  void fields(Fields& f) {
    f("flag", flag);
    f("random", random);
    f("x", x);
    f("log", log);
    f("row", row);
    f("columns", columns);
  }
};

struct Twice {
  Index n = 0;
  template <class Fields>
  void fields(Fields& f) {
    f("n", n);
    f("n", n);
  }
};

struct Latin {
  Index n = 0;
  template <class Fields>
  void fields(Fields& f) {
    f("caf\xe9", n);
  }
};

/// A file with one part of its header replaced, and what is behind it.
std::string with(const std::string& file, const std::string& part, const std::string& instead,
                 const std::string& behind = {}) {
  std::uint64_t length = 0;
  std::memcpy(&length, file.data(), sizeof length);
  std::string header = file.substr(8, std::size_t(length));
  const std::size_t at = header.find(part);
  INFO(header);
  REQUIRE(at != std::string::npos);
  header.replace(at, part.size(), instead);
  return file_of(header, file.substr(8 + std::size_t(length)) + behind);
}
/// A file with a number of an entry replaced.
template <class T>
std::string with_number(const std::string& file, const fs::path& path, const std::string& entry, T number) {
  write(path, file);
  const detail::EntryFile entries(path);
  const detail::TensorInfo* const t = entries.find(entry);
  REQUIRE(t);
  std::uint64_t length = 0;
  std::memcpy(&length, file.data(), sizeof length);
  std::string changed = file;
  std::memcpy(changed.data() + 8 + length + t->begin, &number, sizeof number);
  return changed;
}
/// The file gives this error and changes nothing.
template <class T>
void require_refused(const std::string& file, const std::string& fragment, T& thing) {
  const Folder folder;
  const std::string before = bits_of(thing);
  write(folder / "broken.ckpt", file);
  require_file_error(folder / "broken.ckpt", fragment, [&] { load_checkpoint(folder / "broken.ckpt", thing); });
  REQUIRE(bits_of(thing) == before);
}

const PpoConfig parts{.learning_rate = 3e-3, .lanes = 3, .steps = 13, .epochs = 2, .minibatches = 2};

}  // namespace

TEST_CASE("checkpoint: Reinforce goes on as if it had not been stopped") {
  const CartPole world(40);
  for (const Baseline baseline : {Baseline::running_mean, Baseline::value})
    check_resumes<Reinforce<MlpPolicy<double>, CartPole>, MlpPolicy<double>>(
        {.observation = 4, .actions = 2, .hidden = {8}, .value = true}, world,
        ReinforceConfig{.batch = 6, .baseline = baseline, .recent = 10});
  check_resumes<Reinforce<AttentionPolicy<float>, CartPole>, AttentionPolicy<float>>(
      {.observation = 4, .actions = 2, .window = 5}, world, ReinforceConfig{.batch = 6});
}

TEST_CASE("checkpoint: Ppo goes on, in the middle of episodes that the policy looks back at") {
  const CartPole world(37);
  check_ppo<MlpPolicy<float>>({.observation = 4, .actions = 2, .hidden = {8}, .value = true}, world, parts);
  check_ppo<AttentionPolicy<float>>(
      {.observation = 4, .actions = 2, .window = 5, .width = 8, .hidden = 8, .value = true}, world, parts);
  TransformerPolicy<double>::Config unlimited_past{
      .observation = 4, .actions = 2, .width = 8, .heads = 2, .inner = 8, .value = true};
  check_ppo<TransformerPolicy<double>>(unlimited_past, world, parts);
  PpoConfig scheduled = parts;
  scheduled.schedule = {.shape = Schedule::linear};
  scheduled.total_steps = 250;
  scheduled.recent = 3;
  check_ppo<TransformerPolicy<double>>(unlimited_past, world, scheduled);
}

TEST_CASE("checkpoint: many lanes, which fall into groups") {
  PpoConfig config = parts;
  config.lanes = 80;
  const AttentionPolicy<float>::Config net{.observation = 4, .actions = 2, .window = 6, .width = 48, .value = true};
  check_ppo<AttentionPolicy<float>>(net, CartPole(30), config);
  Run<Ppo<AttentionPolicy<float>, CartPole>, AttentionPolicy<float>, CartPole> run(net, CartPole(30), config, 1);
  CHECK(state_of(run.trainer).find("rollout.groups.1.") != std::string::npos);
}

TEST_CASE("checkpoint: actions that are numbers, sets of entities, many agents") {
  using Continuous = WithCritic<MlpGaussianPolicy<double>, MlpValue<double>>;
  check_ppo<Continuous>({.actor = {.observation = 3, .actions = 1, .hidden = {8}}, .critic = {.observation = 3}},
                        Pendulum(), parts);
  check_ppo<EntityPolicy<float>>(
      {.observation = 2, .actions = 2, .width = 8, .heads = 2, .inner = 8, .window = 4, .value = true}, Scattered(),
      parts);
  check_ppo<EntityPolicy<float>>(
      {.observation = 8, .actions = 9, .width = 8, .heads = 2, .layers = 1, .inner = 8, .value = true},
      PredatorsAndPrey({.predators = 3, .prey = 2, .limit = 20}), parts);
}

TEST_CASE("checkpoint: Dqn goes on, with its replay, its target and what it remembers of episodes") {
  check_dqn<MlpQ<double>>({.observation = 4, .actions = 2, .hidden = {8}}, CartPole(37), 1);
  check_dqn<AttentionQ<float>>({.observation = 4, .actions = 2, .window = 4, .width = 8, .hidden = 8}, CartPole(37), 1);
  check_dqn<EntityQ<float>>({.observation = 2, .actions = 2, .width = 8, .heads = 2, .inner = 8, .window = 3},
                            Scattered(37), 3);
}

TEST_CASE("checkpoint: fields of all kinds") {
  const Folder folder;
  Everything e = other();
  e.recent.add(4.5);
  e.children[0].random = Random(5);
  save_checkpoint(folder / "e", e);
  Everything read_again;
  load_checkpoint(folder / "e", read_again);
  CHECK(state_of(read_again) == read(folder / "e"));
  CHECK(read_again.plains.size() == 5);
  CHECK(read_again.log.empty());
  CHECK(read_again.recent.mean() == 3.75);
  CHECK(read_again.children[0].random.bits() == Random(5).bits());
  e = Everything();
  save_checkpoint(folder / "e", e);
  load_checkpoint(folder / "e", read_again);
  CHECK(read_again.actions == e.actions);
  CHECK(read_again.plain.n == 7);
  CHECK(read_again.log == e.log);
}

TEST_CASE("checkpoint: the bytes of a small file, the largest numbers first") {
  Small small;
  const std::string header = R"({"random.state":{"dtype":"U64","shape":[],"data_offsets":[0,8]},)"
                             R"("log":{"dtype":"I64","shape":[0],"data_offsets":[8,8]},)"
                             R"("x":{"dtype":"F32","shape":[2],"data_offsets":[8,16]},)"
                             R"("row":{"dtype":"F32","shape":[3],"data_offsets":[16,28]},)"
                             R"("columns":{"dtype":"F32","shape":[3,2],"data_offsets":[28,52]},)"
                             R"("flag":{"dtype":"BOOL","shape":[],"data_offsets":[52,53]}})";
  const std::size_t padding = (8 - header.size() % 8) % 8;
  std::uint64_t state = 0;
  std::memcpy(&state, &small.random, sizeof state);
  CHECK(state_of(small) ==
        file_of(header + std::string(padding, ' '),
                bytes<std::uint64_t>({state}) + bytes<float>({1, -2, 4, 5, 6, 7, 7, 7, 7, 7, 7}) + '\1'));
}

TEST_CASE("checkpoint: weights have their names and shapes, several things their numbers") {
  const Folder folder;
  const fs::path path = folder / "two";
  using Net = MlpPolicy<float>;
  Agent<Net> agent({.observation = 4, .actions = 2, .hidden = {3}}, 1), another({.observation = 4, .actions = 2}, 1);
  Adam<float> adam(agent.layout);
  Sgd<float> sgd(another.layout, {.momentum = 0.5});
  adam.step(agent.p.flat, agent.p.flat);
  sgd.step(another.p.flat, another.p.flat);
  RewardNormaliser rewards(0.9);
  const double some[] = {1, -3, 5};
  rewards.update(some);
  save_checkpoint(path, agent, adam, sgd, rewards);

  detail::EntryFile file(path);
  for (const Entry& e : agent.layout.entries()) {
    const detail::TensorInfo* const t = file.find("0." + e.name);
    REQUIRE(t);
    CHECK(t->dtype == "F32");
    CHECK(t->shape == detail::sizes_of(e.shape));
    std::vector<float> numbers(std::size_t(e.size()));
    file.read(*t, numbers.data());
    CHECK(std::memcmp(numbers.data(), agent.p.flat.data() + e.offset, numbers.size() * sizeof(float)) == 0);
  }
  Agent<Net> agent2({.observation = 4, .actions = 2, .hidden = {3}}, 2);
  Adam<float> adam2(agent.layout);
  Sgd<float> sgd2(another.layout, {.momentum = 0.5});
  RewardNormaliser rewards2(0.9);
  const float* const place = agent2.p.flat.data();
  load_checkpoint(path, agent2, adam2, sgd2, rewards2);
  CHECK(agent2.p.flat.data() == place);
  CHECK(agent2.p.flat == agent.p.flat);
  CHECK(adam2.m == adam.m);
  CHECK(adam2.v == adam.v);
  CHECK(adam2.t == 1);
  CHECK(sgd2.v == sgd.v);
  CHECK(rewards2.returns.state == rewards.returns.state);
  require_file_error(path, "missing 4.t I64 []", [&] { load_checkpoint(path, agent, adam, sgd, rewards, adam2); });
  require_file_error(path, "unexpected 3.returns.state F64 [3]", [&] { load_checkpoint(path, agent, adam, sgd); });
}

TEST_CASE("checkpoint: a memory in the middle of episodes, and of a step") {
  Layout layout;
  const Scope at(layout, layout.axis());
  const Gru<float> gru(at / "gru", {.in = 4, .hidden = 6});
  const MultiHeadAttention<float> attention(at / "attention", 6, 2, Causal());
  const Columns<> h = at.columns(6), y = at.columns(6);
  const Parameters<float> p(layout, 1);
  const auto extend = [&](Memory<float>& memory, Index first, Index end, bool late) {  // late: before the next step
    Activations<float> a(layout);
    for (Index t = first; t < end; ++t) {
      if (late) memory.advance();
      if (t == 4) memory.forget(1);
      a.begin(Axis{0}, 2, [](Index) { return 1; });
      const Tokens<float> x = Tokens<float>::Constant(4, 2, std::sin(float(t)));
      gru.extend(p, x, a[h], memory, a);
      attention.extend(p, a[h], a[y], memory, a);
      if (!late) memory.advance();
    }
    return Tokens<float>(a[y]);
  };
  for (const int kind : {0, 1, 2, 3}) {
    const bool ring = kind % 2 == 0, late = kind < 2;
    const Folder folder;
    const fs::path path = folder / "memory";
    const Capacity capacity{.columns = ring ? 7 : 20, .ring = ring};
    Memory<float> first(layout, 2, capacity), second(layout, 2, capacity), wide(layout, 3, capacity);
    extend(first, 0, 9, late);
    extend(second, 5, 7, late);
    save_checkpoint(path, first);
    load_checkpoint(path, second);
    CHECK(extend(second, 9, 19, late) == extend(first, 9, 19, late));
    const std::string file = read(path);
    require_refused(file, "lanes is 2, expected 3", wide);
    const auto lengths = [&](std::int64_t n) { return with_number(file, folder / "changed", "lengths", n); };
    const auto pending = [&](std::int64_t n) { return with_number(file, folder / "changed", "pending", n); };
    for (const std::string& wrong : {lengths(-1), pending(-1), ring ? pending(2) : lengths(21)})
      require_refused(wrong, "it contradicts itself", second);
  }
}

TEST_CASE("checkpoint: broken files change nothing") {
  const Folder folder;
  Everything saved = other(), e;
  const std::string file = state_of(saved);
  for (std::size_t size = 0; size < file.size(); size += size < 32 ? 1 : 13)
    require_refused(file.substr(0, size), "", e);
  require_refused(file + '\0', "goes on for 1 bytes", e);
  require_refused(with(file, "\"number\":{\"dtype\":\"F64\"", "\"number\":{\"dtype\":\"I64\""),
                  "number is I64 [], expected F64 []", e);
  require_refused(with(file, "\"number\":{\"dtype\":\"F64\"", "\"number\":{\"dtype\":\"C64\""),
                  "number is C64 [], expected F64 []", e);
  require_refused(with(file, "\"narrow\":{\"dtype\":\"F32\"", "\"narrow\":{\"dtype\":\"U32\""),
                  "narrow is U32 [], expected F32 []", e);
  require_refused(with(file, "\"count\"", "\"amount\""), "missing count I64 []; unexpected amount I64 []", e);
  require_refused(with(file, "{", "{\"more\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]},"),
                  "unexpected more U8 [0]", e);
  require_refused(
      with(file, "\"matrix\":{\"dtype\":\"F32\",\"shape\":[3,2]", "\"matrix\":{\"dtype\":\"F32\",\"shape\":[2,3]"),
      "matrix is F32 [2, 3], expected F32 [3, 2]", e);
  require_refused(
      with(file, "\"plains\":{\"dtype\":\"U8\",\"shape\":[5,8]", "\"plains\":{\"dtype\":\"U8\",\"shape\":[10,4]"),
      "plains is U8 [10, 4], expected U8 [2, 8] of any length", e);
  require_refused(with(file, "\"recent.last\":{\"dtype\":\"F64\",\"shape\":[2]",
                       "\"recent.last\":{\"dtype\":\"F64\",\"shape\":[1,2]"),
                  "recent.last is F64 [1, 2], expected F64 [0] of any length", e);
  const auto number = [&](const std::string& entry, auto value) {
    return with_number(file, folder / "changed", entry, value);
  };
  constexpr double infinity = std::numeric_limits<double>::infinity();
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  require_refused(number("number", infinity), "number has a value that is not finite, number 0", e);
  require_refused(number("matrix", nan), "matrix has a value that is not finite, number 0", e);
  require_refused(number("recent.last", -infinity), "recent.last has a value that is not finite, number 0", e);
  require_refused(number("flag", char(2)), "flag has a value that is not finite, number 0", e);
  require_refused(number("recent.count", std::int64_t(1)), "recent contradicts itself", e);
  require_refused(number("recent.most", std::int64_t(1)), "recent.most is 1, expected 2", e);
  require_refused(number("lanes", std::int64_t(9)), "lanes is 9, expected 8", e);
  saved.children.resize(3);
  require_refused(state_of(saved), ": children.count is 3, expected 2", e);
  saved.children.resize(1);
  require_refused(state_of(saved), ": children.count is 1, expected 2", e);
}

TEST_CASE("checkpoint: a replay of another size than what can be drawn is refused") {
  const Folder folder;
  Replay<float> replay({.observation = 1, .steps = 4});
  const Tokens<float> x = Tokens<float>::Ones(1, 1);
  for (int i = 0; i < 3; ++i) replay.add(0, x, i, {.reward = 1});
  REQUIRE(replay.size() == 2);
  save_checkpoint(folder / "replay", replay);
  load_checkpoint(folder / "replay", replay);
  write(folder / "replay", with_number(read(folder / "replay"), folder / "changed", "size", std::int64_t(3)));
  CHECK_THROWS_WITH(load_checkpoint(folder / "replay", replay), Catch::Contains("contradicts itself"));
  CHECK(replay.size() == 2);
}

TEST_CASE("checkpoint: damaged files are refused or hold what they can") {
  const Folder folder;
  Everything saved = other();
  const std::string file = state_of(saved);
  std::mt19937 random(1);
  int loaded = 0;
  for (int i = 0; i < 3000; ++i) {
    std::string damaged = file;
    for (auto flips = 1 + random() % 3; flips > 0; --flips) damaged[random() % file.size()] ^= char(1u << random() % 8);
    Everything e;
    const std::string before = bits_of(e);
    write(folder / "damaged", damaged);
    try {
      load_checkpoint(folder / "damaged", e);
      ++loaded;
    } catch (const std::runtime_error& error) {
      REQUIRE(std::string_view(error.what()).starts_with((folder / "damaged").string()));
      REQUIRE(bits_of(e) == before);
    }
    REQUIRE(e.matrix.allFinite());
    REQUIRE(e.children.size() == 2);
    REQUIRE(e.recent.count() >= 0);
  }
  CHECK(loaded > 0);
  CHECK(loaded < 1500);
}

TEST_CASE("checkpoint: what does not fit is told, and saving that fails leaves the file that was there") {
  const Folder folder;
  const fs::path path = folder / "run.ckpt";
  using Net = MlpPolicy<float>;
  using R = Run<Ppo<Net, CartPole>, Net, CartPole>;
  const Net::Config net{.observation = 4, .actions = 2, .hidden = {8}, .value = true};
  const CartPole world;
  R run(net, world, parts, 1);
  run.iterate(2);
  save_checkpoint(path, run.trainer);
  const std::string file = read(path);

  Net::Config wide = net;
  wide.hidden = {9};
  R wider(wide, world, parts, 1);
  require_refused(file, "expected F32 [9, 4]", wider.trainer);
  wide.hidden = {8, 8, 8, 8, 8, 8, 8};
  R deeper(wide, world, parts, 1);
  require_refused(file, "missing agent.layers.2.weight F32 [8, 8]; ", deeper.trainer);
  require_refused(file, "; and 2 more", deeper.trainer);
  PpoConfig more = parts;
  more.lanes = 4;
  R lanes(net, world, more, 1);
  require_refused(file, "rollout.groups.0.lanes.count is 3, expected 4", lanes.trainer);
  more = parts;
  more.recent = 7;
  R recent(net, world, more, 1);
  require_refused(file, ": recent.most is 100, expected 7", recent.trainer);
  using Precise = MlpPolicy<double>;
  Run<Ppo<Precise, CartPole>, Precise, CartPole> precise({.observation = 4, .actions = 2, .hidden = {8}, .value = true},
                                                         world, parts, 1);
  require_refused(file, "expected F64", precise.trainer);
  Reinforce<Net, CartPole> reinforce(run.agent, world);
  require_refused(file, "missing running_mean F64 []", reinforce);
  save(path, run.agent);
  require_refused(read(path), "missing agent.", run.trainer);
  require_file_error(folder / "none", "there is no such file", [&] { load_checkpoint(folder / "none", run.trainer); });

  write(path, file);
  const std::string weight = run.agent.layout.entries()[0].name;
  run.agent.p.flat[1] = std::numeric_limits<float>::quiet_NaN();
  require_file_error(path, "agent." + weight + " has a value that is not finite, number 1",
                     [&] { save_checkpoint(path, run.trainer); });
  require_file_error(path, "two entries are named n", [&] { save_checkpoint(path, Twice()); });
  require_file_error(path, "no entry can be named", [&] { save_checkpoint(path, Latin()); });
  CHECK(read(path) == file);
  CHECK(folder.names() == std::vector{"run.ckpt"s});
}

#if !defined(_WIN32)
TEST_CASE("checkpoint: training that is killed at any moment ends in the same bits") {
  using Net = AttentionPolicy<float>;
  using R = Run<Ppo<Net, CartPole>, Net, CartPole>;
  const Net::Config net{.observation = 4, .actions = 2, .window = 5, .width = 16, .value = true};
  const CartPole world(60);
  constexpr Index enough = 39 * 25;  // steps
  R whole(net, world, parts, 1);
  whole.iterate(25);

  const Folder folder;
  const fs::path path = folder / "run.ckpt";
  const auto resumed = [&](std::uint64_t seed) {
    R run(net, world, parts, fs::exists(path) ? seed : 1);
    if (fs::exists(path)) load_checkpoint(path, run.trainer);
    return run.trainer.steps();
  };
  std::mt19937 random(1);
  int killed = 0;
  for (std::uint64_t attempt = 0;; ++attempt) {
    REQUIRE(attempt < 400);
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {  // begins anew only where there is nothing to go on with, else from another seed
      try {
        R run(net, world, parts, fs::exists(path) ? attempt + 2 : 1);
        if (fs::exists(path)) load_checkpoint(path, run.trainer);
        while (run.trainer.steps() < enough) {
          run.trainer.iterate();
          save_checkpoint(path, run.trainer);
        }
        _exit(0);
      } catch (...) { _exit(1); }
    }
    usleep(useconds_t(random() % (2000 + 500 * attempt)));
    kill(child, SIGKILL);
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(resumed(77) <= enough);  // whatever was going on, the file is whole
    if (!WIFSIGNALED(status)) {
      REQUIRE(WEXITSTATUS(status) == 0);
      break;
    }
    ++killed;
  }
  CHECK(killed >= 5);
  R end(net, world, parts, 5);
  load_checkpoint(path, end.trainer);
  CHECK(state_of(end.trainer) == state_of(whole.trainer));
  CHECK(end.agent.p.flat == whole.agent.p.flat);
  for (const std::string& name : folder.names()) CHECK((name == "run.ckpt" || name.starts_with(".heed-")));
}
#endif

TEST_CASE("checkpoint: a State of one's own") {
  using R = Run<Ppo<MlpPolicy<double>, Drift>, MlpPolicy<double>, Drift>;
  const MlpPolicy<double>::Config net{.observation = 2, .actions = 2, .hidden = {8}, .value = true};
  const Folder folder;
  R first(net, {}, parts, 1), second(net, {}, parts, 2);
  first.iterate(2);
  save_checkpoint(folder / "run.ckpt", first.trainer);
  load_checkpoint(folder / "run.ckpt", second.trainer);
  first.iterate(3), second.iterate(3);
  CHECK(first.agent.p.flat == second.agent.p.flat);
  CHECK(first.trainer.mean_return() == second.trainer.mean_return());
}

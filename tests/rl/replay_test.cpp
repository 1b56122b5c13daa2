#include "heed/rl/replay_batch.hpp"
#include "support.hpp"

using namespace heed;
using support::check_complaint;

namespace {

/// All that a lane ever lived, and what a replay of so little room should say of it, written down plainly.
struct History {
  struct Step {
    Tokens<double> x;
    Index action = -1;
    double reward = 0;
    bool terminated = false;
    Index start = 0;  // of its episode
  };
  std::vector<Step> steps;

  Index count() const { return Index(steps.size()); }
  const Step& operator[](Index i) const { return steps[std::size_t(i)]; }
  /// The oldest that is kept.
  Index first(const ReplayConfig& c) const {
    Index columns = 0, first = count();
    while (first > 0 && count() - first < c.steps && columns + (*this)[first - 1].x.cols() <= c.columns)
      columns += (*this)[--first].x.cols();
    return first;
  }
  bool complete(Index i) const { return (*this)[i].action >= 0 && ((*this)[i].terminated || i + 1 < count()); }
  Index oldest_seen(Index i, Index look_back) const { return std::max((*this)[i].start, i - look_back); }
};

/// Lanes that live through episodes of random lengths, which end in all ways, with random numbers of columns a step.
struct Living {
  Replay<double> replay;
  std::vector<History> lanes;
  Random random{3};
  Index most_columns;
  std::vector<Index> start;

  Living(const ReplayConfig& c, Index most)
      : replay(c), lanes(std::size_t(c.lanes)), most_columns(most), start(lanes.size()) {}

  Tokens<double> observation() {
    return support::random<double>(2, most_columns == 1 ? 1 : random.below(most_columns + 1), random.bits());
  }
  void step(Index lane) {
    History& h = lanes[std::size_t(lane)];
    Index& from = start[std::size_t(lane)];
    const double end = random.uniform();
    const Outcome outcome{.reward = random.uniform(), .terminated = end<0.15, .truncated = end> 0.1 && end < 0.25};
    h.steps.push_back({observation(), random.below(4), outcome.reward, outcome.terminated, from});
    replay.add(lane, h.steps.back().x, h.steps.back().action, outcome);
    if (outcome.truncated && !outcome.terminated) {
      h.steps.push_back({.x = observation(), .start = from});
      replay.add_left(lane, h.steps.back().x);
    }
    if (outcome.over()) from = h.count();
  }
  /// f(place, history, i) for each step that should be drawn.
  template <class F>
  Index each(F f) const {
    const ReplayConfig& c = replay.config;
    Index count = 0;
    for (Index lane = 0; lane < c.lanes; ++lane) {
      const History& h = lanes[std::size_t(lane)];
      for (Index i = h.first(c); i < h.count(); ++i)
        if (h.complete(i) && h.oldest_seen(i, c.look_back) >= h.first(c)) {
          f(lane * c.steps + i % c.steps, h, i);
          ++count;
        }
    }
    return count;
  }
};

void check_ahead(const Replay<double>& replay, Index place, const History& h, Index i, Index n) {
  double reward = 0, discount = 1;
  Index m = 0;
  for (bool goes_on = true; goes_on; ++m) {
    reward += std::pow(0.9, double(m)) * h[i + m].reward;
    discount = h[i + m].terminated ? 0 : std::pow(0.9, double(m + 1));
    goes_on = m + 1 < n && !h[i + m].terminated && h.complete(i + m + 1);
  }
  const auto ahead = replay.ahead(place, n, 0.9);
  CHECK(ahead.steps == m);
  CHECK(ahead.reward == Approx(reward));
  CHECK(ahead.discount == Approx(discount));
}

void check_history(const ReplayConfig& config, Index most_columns) {
  Living living(config, most_columns);
  const Replay<double>& replay = living.replay;
  for (int round = 0; round < 120; ++round) {
    living.step(living.random.below(config.lanes));
    double drawn = 0;
    const Index count = living.each([&](Index place, const History& h, Index i) {
      CHECK(replay.weight(place) == 1);
      drawn += replay.weight(place);
      CHECK(replay.action(place) == h[i].action);
      CHECK(replay.past(place) == i - h.oldest_seen(i, config.look_back));
      for (const Index n : {1, 3}) check_ahead(replay, place, h, i, n);
      for (Index k = -replay.past(place); k <= replay.ahead(place, 2, 1).steps; ++k) {
        if (h[i].terminated && k > 0) break;
        const Index there = replay.place(place, k);
        REQUIRE(replay.columns(there) == h[i + k].x.cols());
        Tokens<double> x(2, replay.columns(there));
        replay.read(there, x);
        CHECK(support::same_bits(x, h[i + k].x));
        if (h[i + std::max(k, Index(0))].terminated) break;
      }
    });
    double all = 0;
    for (Index place = 0; place < config.lanes * config.steps; ++place) all += replay.weight(place);
    CHECK(all == drawn);  // and nothing else is
    CHECK(replay.size() == count);
  }
}

}  // namespace

TEST_CASE("sum tree: against sums of all numbers") {
  for (const Index n : {1, 2, 5, 8, 13}) {
    SumTree tree(n);
    std::vector<double> numbers(std::size_t(n), 0);
    Random random(7);
    for (int round = 0; round < 200; ++round) {
      const Index leaf = random.below(n);
      numbers[std::size_t(leaf)] = random.uniform() < 0.3 ? 0 : std::floor(random.uniform(1, 9));
      tree.set(leaf, numbers[std::size_t(leaf)]);
      double sum = 0;
      for (double x : numbers) sum += x;
      CHECK(tree.sum() == sum);  // of whole numbers
      if (sum == 0) continue;
      const double share = random.uniform();
      Index found = 0;
      for (double below = numbers[0]; share * sum >= below;) below += numbers[std::size_t(++found)];
      CHECK(tree.find(share) == found);
      CHECK(tree[found] == numbers[std::size_t(found)]);
      CHECK(tree[tree.find(0)] > 0);
      CHECK(tree[tree.find(1)] > 0);  // as a share that is rounded up would be
    }
  }
}

TEST_CASE("sum tree: errors") {
  SumTree tree(3);
  check_complaint("SumTree: 0 leaves", [] { SumTree(0); });
  check_complaint("all its numbers are zero", [&] { tree.find(0.5); });
  check_complaint("leaf 3 is not one of its 3", [&] { tree.set(3, 1); });
  check_complaint("leaf -1 is not one of its 3", [&] { tree.set(-1, 1); });
  check_complaint("-1 for leaf 1", [&] { tree.set(1, -1); });
  check_complaint("nan for leaf 1", [&] { tree.set(1, std::nan("")); });
}

TEST_CASE("replay: what is kept, drawn, looked back at and followed, as lanes wrap around") {
  for (const Index look_back : {Index(0), Index(2), unlimited})
    for (const Index steps : {2, 7, 30, 200}) {
      check_history({.observation = 2, .lanes = 2, .steps = steps, .look_back = look_back}, 1);
      check_history({.observation = 2, .lanes = 1, .steps = steps, .columns = 11, .look_back = look_back}, 3);
    }
}

TEST_CASE("replay: a batch is the sequences of what was lived") {
  for (const Index look_back : {Index(0), Index(2), unlimited}) {
    Living living({.observation = 2, .lanes = 3, .steps = 40, .columns = 60, .look_back = look_back}, 2);
    for (int i = 0; i < 200; ++i) living.step(i % 3);
    std::vector<Index> places;
    living.each([&](Index place, const History&, Index) { places.push_back(place); });
    ReplayBatch<double> batch;
    for (int round = 0; round < 2; ++round) batch.gather(living.replay, places, 3, 0.9);
    REQUIRE(batch.items.size() == places.size());
    REQUIRE(batch.time.count() == Index(places.size()));
    std::size_t number = 0;
    Index column = 0, x_column = 0;
    living.each([&](Index place, const History& h, Index i) {
      const auto& item = batch.items[number];
      const auto ahead = living.replay.ahead(place, 3, 0.9);
      CHECK(item.step == place);
      CHECK(item.action == h[i].action);
      CHECK(item.reward == ahead.reward);
      CHECK(item.discount == ahead.discount);
      REQUIRE(batch.time.first(Index(number)) == column);
      const Index last = ahead.discount > 0 ? ahead.steps : 0;
      CHECK(item.following == (last > 0 ? batch.time.first(Index(number)) + batch.time.length(Index(number)) - 1 : -1));
      for (Index k = h.oldest_seen(i, look_back); k <= i + last; ++k) {
        if (look_back == 0 && k > i && k < i + last) continue;
        if (k == i) CHECK(item.column == column);
        REQUIRE(batch.input.length(column) == h[k].x.cols());
        CHECK(support::same_bits(batch.x().middleCols(x_column, h[k].x.cols()), h[k].x));
        x_column += h[k].x.cols();
        ++column;
      }
      ++number;
    });
    CHECK(batch.time.columns() == column);
    CHECK(batch.input.columns() == x_column);
  }
}

TEST_CASE("replay: steps are drawn in proportion to their errors") {
  Replay<float> replay({.observation = 1, .lanes = 1, .steps = 6, .alpha = 0.5, .least = 0.25});
  const Tokens<float> x = Tokens<float>::Zero(1, 1);
  for (int i = 0; i < 4; ++i) replay.add(0, x, 0, {.terminated = true});
  const double errors[] = {0, 0.75, -3.75, 8.75};
  for (Index i = 0; i < 4; ++i) replay.learned(i, errors[i]);
  const double weights[] = {0.5, 1, 2, 3};
  for (Index i = 0; i < 4; ++i) CHECK(replay.weight(i) == Approx(weights[i]));
  replay.add(0, x, 0, {.terminated = true});
  CHECK(replay.weight(4) == Approx(3));  // new: the highest so far
  replay.learned(4, 0.75);
  std::vector<double> drawn(5);
  for (int i = 0; i < 7500; ++i) drawn[std::size_t(replay.sample((i + 0.5) / 7500))] += 1;
  CHECK(drawn == std::vector<double>{500, 1000, 2000, 3000, 1000});
  CHECK(replay.importance(2, 0) == 1);
  CHECK(replay.importance(2, 1) == Approx(7.5 / (5 * 2)));
  CHECK(replay.importance(2, 0.5) == Approx(std::sqrt(7.5 / (5 * 2))));
  double mean = 0;  // with beta 1 all count alike
  for (Index i = 0; i < 5; ++i) mean += replay.weight(i) / 7.5 * replay.importance(i, 1);
  CHECK(mean == Approx(1));
}

TEST_CASE("replay: without an exponent all steps are drawn alike") {
  Replay<float> replay({.observation = 1, .lanes = 2, .steps = 4});
  const Tokens<float> x = Tokens<float>::Zero(1, 1);
  for (int i = 0; i < 6; ++i) replay.add(i % 2, x, 0, {.terminated = true});
  replay.learned(1, 100);
  std::vector<int> drawn(8);
  for (int i = 0; i < 60; ++i) ++drawn[std::size_t(replay.sample((i + 0.5) / 60))];
  CHECK(drawn == std::vector<int>{10, 10, 10, 0, 10, 10, 10, 0});
  CHECK(replay.importance(1, 1) == 1);
}

TEST_CASE("replay: errors") {
  const auto make = [](ReplayConfig c) { return Replay<double>(c); };
  check_complaint("observation 0 must be at least 1", [&] { make({.steps = 4}); });
  check_complaint("steps 0 must be at least 1", [&] { make({.observation = 1}); });
  check_complaint("lanes -1 must be at least 1", [&] { make({.observation = 1, .lanes = -1, .steps = 3}); });
  check_complaint("look_back -1", [&] { make({.observation = 1, .steps = 3, .look_back = -1}); });
  check_complaint("alpha -1", [&] { make({.observation = 1, .steps = 3, .alpha = -1}); });
  Replay<double> replay({.observation = 2, .lanes = 2, .steps = 3});
  const Tokens<double> x = Tokens<double>::Zero(2, 1), wide = Tokens<double>::Zero(2, 4);
  check_complaint("all its numbers are zero", [&] { replay.sample(0.5); });
  check_complaint("lane 2 is not one of its 2", [&] { replay.add(2, x, 0, {}); });
  check_complaint("x is 3 x 1, but 2 x 1", [&] { replay.add(0, Tokens<double>::Zero(3, 1).eval(), 0, {}); });
  check_complaint("an observation of 4 columns, but there is room for 3", [&] { replay.add(0, wide, 0, {}); });
  check_complaint("action -1 is negative", [&] { replay.add(0, x, -1, {}); });
  check_complaint("the reward is inf at step 0", [&] { replay.add(0, x, 0, {.reward = INFINITY}); });
  check_complaint("no episode of lane 0 was cut", [&] { replay.add_left(0, x); });
  replay.add(0, x, 0, {.truncated = true});
  check_complaint("the episode of lane 0 was cut", [&] { replay.add(0, x, 0, {}); });
  replay.add(1, x, 0, {});
  replay.add_left(0, x);
  replay.add(0, x, 0, {.terminated = true, .truncated = true});
  check_complaint("no episode of lane 0 was cut", [&] { replay.add_left(0, x); });
}

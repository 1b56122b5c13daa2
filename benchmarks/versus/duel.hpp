#pragma once
// One task: all contenders must come to the same numbers, LibTorch's fastest way is found, and then heed and it take turns.

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>

#include "peer.hpp"
#include "rows.hpp"

namespace versus {

/// Median and quartiles.
struct Spread {
  double low = 0, median = 0, high = 0;
};

inline Spread spread(std::vector<double> all) {
  if (all.empty()) return {};
  std::sort(all.begin(), all.end());
  const auto at = [&](std::size_t quarter) { return all[quarter * (all.size() - 1) / 4]; };
  return {at(1), at(2), at(3)};
}

/// One way of one contender to do the task, with the times of its turns.
struct Entrant {
  Peer* peer = nullptr;
  std::size_t candidate = 0;
  std::string name;
  long count = 1;
  std::vector<double> times;

  /// So many runs a turn that it takes about so long; how long it then will take.
  double calibrate(double turn) {
    double once = peer->seconds(candidate, 1);  // the first is slow
    if (once < turn) once = peer->seconds(candidate, 1);
    if (once < turn / 10) once = peer->seconds(candidate, std::max(long(turn / 10 / once), 4L));
    count = std::max(long(turn / once), 1L);
    return double(count) * once;
  }
  bool preallocated() const { return name.rfind("preallocated", 0) == 0; }
  void turn() { times.push_back(peer->seconds(candidate, count)); }
};

/// So many rounds, or fewer where they would take longer than so many seconds in all.
inline void take_turns(std::vector<Entrant>& all, double turn, int rounds, int least_rounds, double longest) {
  double round = 0;
  for (Entrant& e : all) round += e.calibrate(turn), e.times.clear();
  rounds = std::max(int(std::min(double(rounds), longest / round)), std::min(least_rounds, rounds));
  for (int i = 0; i < rounds; ++i)
    for (Entrant& e : all) e.turn();
}

/// Fails where two programs differ by more than 1e-4 in Euclidean norm.
inline void expect_same(const Task& task, const std::vector<Piece>& ours, const std::string& peer,
                        const std::vector<Piece>& theirs) {
  const auto complain = [&](const std::string& what) {
    throw std::runtime_error(name(task) + ": heed and " + peer + " disagree: " + what);
  };
  std::map<std::string, const Piece*> by_name;
  for (const Piece& piece : theirs) by_name[piece.name] = &piece;
  if (by_name.size() != ours.size()) complain("not as many results");
  for (const Piece& piece : ours) {
    const auto found = by_name.find(piece.name);
    if (found == by_name.end() || found->second->values.size() != piece.values.size())
      complain("no " + piece.name + " of its size");
    double difference = 0, size = 0;
    for (std::size_t i = 0; i < piece.values.size(); ++i) {
      const double x = piece.values[i], y = found->second->values[i];
      difference += (x - y) * (x - y), size += x * x;
    }
    if (!(difference <= 1e-8 * size)) complain(piece.name + " by " + std::to_string(std::sqrt(difference / size)));
  }
}

/// The fastest of LibTorch's ways of a kind, and how many times heed's time it takes; empty where there is none.
struct Rival {
  std::string name;
  Spread time;  // seconds
  double native_ratio = 0, plain_ratio = 0;
};
struct Result {
  Task task;
  Spread native, plain;
  Rival graph;         // a module, or a graph of functions that make new tensors: what one writes
  Rival preallocated;  // functions into tensors that lie ready, which know of no gradient
};

class Duel {
 public:
  int rounds = 21;
  /// Seconds. Several runs even of the largest tasks, since each turn finds caches full of the others' numbers.
  double turn = 50e-3;

  Duel(Peer& native, Peer& plain, std::vector<Peer*> peers)
      : native_(native), plain_(plain), peers_(std::move(peers)) {}

  Result run(std::size_t index) {
    const Task task = tasks()[index];
    std::vector<Entrant> ways = same_numbers(index, task), all(2);
    all[0].peer = &native_, all[1].peer = &plain_;
    if (!ways.empty()) take_turns(ways, turn / 2, 5, 2, 4);
    for (const bool preallocated : {false, true}) {
      const Entrant* best = nullptr;
      for (const Entrant& way : ways)
        if (way.preallocated() == preallocated)
          if (!best || spread(way.times).low < spread(best->times).low) best = &way;
      if (best) all.push_back(*best);
    }
    take_turns(all, turn, rounds, 7, 5);
    Result r{task, spread(all[0].times), spread(all[1].times), {}, {}};
    for (std::size_t i = 2; i < all.size(); ++i) {
      Rival& rival = all[i].preallocated() ? r.preallocated : r.graph;
      rival = {all[i].name, spread(all[i].times), ratio(all[i], all[0]), ratio(all[i], all[1])};
    }
    return r;
  }

 private:
  /// Readies the task everywhere, and gives all ways of the peers.
  std::vector<Entrant> same_numbers(std::size_t index, const Task& task) {
    const std::string question = "task " + std::to_string(index);
    native_.ask(question);
    plain_.ask(question);
    const std::vector<Piece> ours = native_.numbers(0);
    expect_same(task, ours, plain_.name, plain_.numbers(0));
    std::vector<Entrant> ways;
    for (Peer* peer : peers_) {
      const std::vector<std::string> names = peer->ask(question);
      for (std::size_t c = 0; c < names.size(); ++c) {
        expect_same(task, ours, "LibTorch's " + names[c] + ", " + peer->name, peer->numbers(c));
        ways.push_back({peer, c, names[c] + ", " + peer->name, 1, {}});
      }
    }
    return ways;
  }
  /// The median over the rounds, each of which saw both under the same conditions.
  static double ratio(const Entrant& slow, const Entrant& fast) {
    std::vector<double> all;
    for (std::size_t i = 0; i < slow.times.size(); ++i) all.push_back(slow.times[i] / fast.times[i]);
    return spread(all).median;
  }
  Peer &native_, &plain_;
  std::vector<Peer*> peers_;
};

}  // namespace versus

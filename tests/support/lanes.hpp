#pragma once
// Lanes that are extended piece by piece.
#include "support/sight.hpp"

namespace support {

/// Lanes that are extended piece by piece, each piece compared with `whole`'s forward over all that the lane has seen.
template <class S>
class Lanes {
 public:
  Lanes(Subject<S>& stepping, Subject<S>& whole, Index lanes, heed::Capacity capacity)
      : stepping_(stepping),
        whole_(whole),
        memory_(stepping.layout, lanes, capacity),
        past_(stepping.x.size(), std::vector<Tokens<S>>(std::size_t(lanes))) {
    for (std::size_t i = 0; i < past_.size(); ++i)
      for (auto& lane : past_[i]) lane.resize(stepping.rows[i], 0);
  }
  Lanes(Subject<S>& s, Index lanes, heed::Capacity capacity) : Lanes(s, s, lanes, capacity) {}

  Index lanes() const { return memory_.lanes(); }

  /// Extends each lane by so many columns along time and source; those not in `keep` do not advance.
  void step(const Lengths& time, const Lengths& source, const std::vector<bool>& keep = {}) {
    auto all = past_;
    stepping_.begin(time, source, ++seed_ * 100);
    each_piece(stepping_, time, source, [&](std::size_t input, std::size_t lane, Index first, Index n) {
      Tokens<S>& to = all[input][lane];
      to.conservativeResize(Eigen::NoChange, to.cols() + n);
      to.rightCols(n) = stepping_.x[input].middleCols(first, n);
    });
    stepping_.extend(memory_);
    const Tokens<S> once = stepping_.y;
    stepping_.extend(memory_);
    CHECK(same_bits(once, stepping_.y));

    Lengths whole_time = seen_time_, whole_source = source.empty() ? source : seen_source_;
    for (std::size_t lane = 0; lane < time.size(); ++lane) {
      whole_time[lane] += time[lane];
      if (!source.empty()) whole_source[lane] += source[lane];
    }
    whole_.begin(whole_time, whole_source);
    each_piece(whole_, whole_time, whole_source, [&](std::size_t input, std::size_t lane, Index first, Index n) {
      whole_.x[input].middleCols(first, n) = all[input][lane];
    });
    whole_.forward();
    Index first = 0, end = 0;
    for (std::size_t lane = 0; lane < time.size(); ++lane) {
      end += whole_time[lane];
      INFO("lane " << lane << " after " << seen_time_[lane] << " by " << time[lane]);
      CHECK(distance(once.middleCols(first, time[lane]), whole_.y.middleCols(end - time[lane], time[lane])) <=
            (std::is_same_v<S, float> ? 1e-5 : 1e-12));
      first += time[lane];
    }

    for (std::size_t lane = 0; lane < time.size(); ++lane)
      if (keep.empty() || keep[lane]) {
        memory_.advance(Index(lane));
        for (std::size_t i = 0; i < past_.size(); ++i) past_[i][lane] = all[i][lane];
        seen_time_[lane] = whole_time[lane];
        if (!source.empty()) seen_source_[lane] = whole_source[lane];
      }
  }
  void forget(std::size_t lane) {
    memory_.forget(Index(lane));
    for (auto& of_input : past_) of_input[lane].resize(Eigen::NoChange, 0);
    seen_time_[lane] = seen_source_[lane] = 0;
  }

  /// Rounds in which lanes advance by up to `most` columns, wait, forget, or do not advance. The first lane starts late, and
  /// its longest history is `limit`, at which it forgets.
  void wander(int rounds, Index most, Index limit, bool source_grows, bool has_source) {
    heed::Random random(3);
    const std::size_t n = std::size_t(lanes());
    for (int round = 0; round < rounds; ++round) {
      Lengths time(n), source(has_source ? n : 0);
      std::vector<bool> keep(n);
      for (std::size_t lane = 0; lane < n; ++lane) {
        if (random.uniform() < 0.05) forget(lane);
        const bool late = lane == 0 && round < 3;
        time[lane] = late || random.uniform() < 0.2 ? 0 : random.below(most + 1);
        const bool first = has_source && seen_source_[lane] == 0;
        if (first && !late) source[lane] = 1 + random.below(most);
        if (has_source && !first && source_grows) source[lane] = random.below(most + 1);
        if (seen_time_[lane] + time[lane] > limit || (has_source && seen_source_[lane] + source[lane] > limit)) {
          forget(lane);
          time[lane] = 1;
          if (has_source) source[lane] = 1;
        }
        keep[lane] = random.uniform() < 0.85;
      }
      step(time, source, keep);
    }
  }

 private:
  template <class F>
  static void each_piece(Subject<S>& s, const Lengths& time, const Lengths& source, F f) {
    for (std::size_t input = 0; input < s.x.size(); ++input) {
      const Lengths& lengths = s.axes[input] == s.time ? time : source;
      Index first = 0;
      for (std::size_t lane = 0; lane < lengths.size(); first += lengths[lane], ++lane)
        f(input, lane, first, lengths[lane]);
    }
  }
  Subject<S>&stepping_, &whole_;
  heed::Memory<S> memory_;
  std::vector<std::vector<Tokens<S>>> past_;  // of each input and lane
  Lengths seen_time_ = Lengths(past_[0].size(), 0), seen_source_ = seen_time_;
  std::uint64_t seed_ = 0;
};

/// `extend` by several splits, in lanes of which some wait, forget, start late or do not advance, against `forward`.
inline void check_extend(Subject<double>& s, heed::Capacity capacity, Index most = 5, Index limit = 40) {
  const bool has_source = s.axes.back() == s.source;
  for (const Index piece : {Index(1), most}) {  // one by one, and the most at once
    Lanes<double> lanes(s, 2, capacity);
    for (int i = 0; i < 12 / piece; ++i) lanes.step({piece, piece}, has_source ? Lengths{piece, i == 0} : Lengths{});
  }
  for (const bool grows : {false, true})
    if (has_source || !grows) Lanes<double>(s, 3, capacity).wander(40, most, limit, grows, has_source);
}
}  // namespace support

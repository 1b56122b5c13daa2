#pragma once
// A contender is a program of its own, so that each has its own flags, settings and allocator and none can disturb another.
// It sleeps until a line on its standard input asks it for something, and answers in lines up to a single ".":
//
//   describe          what it is and how it was built
//   limits            what it measures of the machine: "name value" each
//   task N            the candidates it has for tasks()[N]; they are made ready
//   numbers C         the results of candidate C at its first run: "name size" and as many raw floats each
//   run C COUNT       runs candidate C so many times: seconds for all

#include <time.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <functional>
#include <iostream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "numbers.hpp"
#include "rows.hpp"

namespace versus {

/// Work to be timed. `numbers` runs it once, when it is new, and says what came out.
struct Unit {
  std::function<void()> run;
  std::function<std::vector<Piece>()> numbers;
};

/// One way to do a task.
struct Candidate {
  std::string name;
  Unit unit;
};

struct Contender {
  std::function<std::string()> describe;
  std::function<std::vector<std::pair<std::string, double>>()> limits;
  std::function<std::vector<Candidate>(const Task&)> candidates;
};

/// Of the processor, all threads together: what else runs on the machine does not count.
inline double processor_time() {
  timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return double(t.tv_sec) + 1e-9 * double(t.tv_nsec);
}
inline double seconds(const std::function<void()>& run, long count) {
  const double start = processor_time();
  for (long i = 0; i < count; ++i) run();
  return processor_time() - start;
}

/// How often f runs in a second, the best of several turns: for what is to be a limit.
inline double best_rate(const std::function<void()>& f) {
  long count = 1;
  double best = seconds(f, count);
  while (best < 2e-3) best = seconds(f, count *= 2);
  for (int turn = 0; turn < 15; ++turn) best = std::min(best, seconds(f, count));
  return double(count) / best;
}

inline void answer(const Contender& contender, std::vector<Candidate>& candidates, std::istream& question) {
  std::string what;
  std::size_t which = 0;
  question >> what;
  if (what == "describe") {
    std::cout << contender.describe() << "\n";
  } else if (what == "limits") {
    for (const auto& [name, value] : contender.limits()) std::cout << name << " " << value << "\n";
  } else if (what == "task") {
    question >> which;
    candidates.clear();  // first: the allocator may use their room
    candidates = contender.candidates(tasks().at(which));
    for (const Candidate& c : candidates) std::cout << c.name << "\n";
  } else if (what == "numbers") {
    question >> which;
    for (const Piece& piece : candidates.at(which).unit.numbers()) {
      std::cout << piece.name << " " << piece.values.size() << "\n";
      std::cout.write(reinterpret_cast<const char*>(piece.values.data()), long(piece.values.size() * sizeof(float)));
    }
  } else if (what == "run") {
    long count = 1;
    question >> which >> count;
    const auto& run = candidates.at(which).unit.run;
    run();  // once more, for others were here in the meantime
    std::cout.precision(9);
    std::cout << seconds(run, count) << "\n";
  }
}

/// The main function of a contender.
inline int serve(const Contender& contender) try {
  std::ios::sync_with_stdio(false);
  std::vector<Candidate> candidates;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream question(line);
    answer(contender, candidates, question);
    std::cout << "." << std::endl;
  }
  return 0;
} catch (const std::exception& e) {
  std::cerr << e.what() << "\n";
  return 1;
}

}  // namespace versus

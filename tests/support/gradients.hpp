#pragma once
// Gradients against differences, and where they are put.
#include "support/subject.hpp"

namespace support {

/// Every gradient against central differences.
inline void check_gradients(Subject<double>& s) {
  using heed::testing::gradient_check;
  const auto forward = [&]() -> const Tokens<double>& {
    s.forward();
    return s.y;
  };
  const auto backward = [&](const Tokens<double>& dy, Parameters<double>& g) { s.backward(dy, g); };
  const auto input = [&](std::size_t i) {
    return heed::testing::Input{std::string{'x', char('0' + i)}, s.x[i], s.dx[i]};
  };
  const auto report = s.x.size() == 1 ? gradient_check(s.layout, s.p, {input(0)}, forward, backward)
                      : s.x.size() == 2
                          ? gradient_check(s.layout, s.p, {input(0), input(1)}, forward, backward)
                          : gradient_check(s.layout, s.p, {input(0), input(1), input(2)}, forward, backward);
  std::size_t trained = 0;
  for (const heed::Entry& e : s.layout.entries()) trained += e.use.trained;
  REQUIRE(report.rows.size() == trained + s.x.size());
  for (const auto& row : report.rows) {
    INFO(row.name);
    CHECK(row.error <= 1e-6);
  }
}

/// dx is overwritten, added to or left out as asked, and the weights' gradients are added to g.
inline void check_targets(Subject<double>& s) {
  const Tokens<double> dy = random<double>(s.y.rows(), s.y.cols(), 11);
  s.forward();
  Parameters<double> once(s.layout);
  s.backward(dy, once);
  const auto plain = s.dx;
  for (const Put how : {Put::over, Put::add, Put::skip}) {
    Parameters<double> g(s.layout);
    g.flat.setConstant(2);
    for (auto& d : s.dx) d.setConstant(5);
    s.backward(dy, g, how);
    CHECK(distance(g.flat, (once.flat.array() + 2).matrix()) <= 1e-12);
    for (std::size_t i = 0; i < s.dx.size(); ++i) {
      if (how == Put::over) CHECK(same_bits(s.dx[i], plain[i]));
      if (how == Put::add) CHECK(distance(s.dx[i], (plain[i].array() + 5).matrix()) <= 1e-12);
      if (how == Put::skip) CHECK((s.dx[i].array() == 5).all());
    }
  }
}

/// Two subjects that should compute the same: the fixed size and the dynamic one.
inline void check_same(Subject<double>& s, Subject<double>& t) {
  REQUIRE(s.p.flat.size() == t.p.flat.size());
  const Tokens<double> dy = random<double>(s.y.rows(), s.y.cols(), 11);
  Parameters<double> gs(s.layout), gt(t.layout);
  s.forward(), t.forward();
  s.backward(dy, gs), t.backward(dy, gt);
  CHECK(distance(s.y, t.y) <= 1e-13);
  CHECK(distance(gs.flat, gt.flat) <= 1e-13);
  for (std::size_t i = 0; i < s.dx.size(); ++i) CHECK(distance(s.dx[i], t.dx[i]) <= 1e-13);
}
}  // namespace support

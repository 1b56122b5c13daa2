#include "heed/environments/catch_ball.hpp"

#include "worlds.hpp"

using namespace support;
using heed::CatchBall;
using State = CatchBall::State;

namespace {

/// The board, drawn.
std::string drawn(const State& s) {
  std::string board;
  for (double x : seen(CatchBall(), s)) {
    CHECK((x == 0 || x == 1));
    board += x == 1 ? 'o' : '.';
    if (board.size() % 6 == 5) board += '/';
  }
  return board;
}

}  // namespace

TEST_CASE("CatchBall: a ball that is caught, drawn") {
  const CatchBall world;
  State s{0, 2};
  CHECK(drawn(s) == "o..../...../...../...../...../...../...../...../...../..o../");
  CHECK_FALSE(world.step(s, 0).over());
  CHECK(drawn(s) == "...../o..../...../...../...../...../...../...../...../.o.../");
  CHECK_FALSE(world.step(s, 2).over());
  CHECK(drawn(s) == "...../...../o..../...../...../...../...../...../...../..o../");
  for (Index action : {1, 1, 0, 1, 0, 0}) {
    const Outcome outcome = world.step(s, action);
    CHECK(outcome.reward == 0);
    CHECK_FALSE(outcome.over());
  }
  CHECK(drawn(s) == "...../...../...../...../...../...../...../...../o..../o..../");
  const Outcome last = world.step(s, 0);
  CHECK(drawn(s) == "...../...../...../...../...../...../...../...../...../o..../");
  CHECK(last.reward == 1);
  CHECK(last.terminated);
  CHECK_FALSE(last.truncated);
}

TEST_CASE("CatchBall: missed by a column, and the paddle stays on the board") {
  const CatchBall world;
  for (Index ball = 0; ball < 5; ++ball)
    for (Index side : {0, 1, 2}) {
      State s{ball, 2};
      const Played played = play(world, s, std::vector<Index>(9, side));
      CHECK(s.paddle == 2 * side);
      CHECK(played.reward == (ball == 2 * side ? 1 : -1));
      CHECK(played.last.terminated);
    }
}

TEST_CASE("CatchBall: what it owes as an environment") {
  check_world("CatchBall", CatchBall());
  check_equally_likely(
      [](Random& random) {
        const State s = CatchBall().reset(random);
        CHECK(s.paddle == 2);
        return s.ball;
      },
      5);
}

TEST_CASE("CatchBall: what it says of itself") {
  const CatchBall world;
  CHECK(world.actions() == 3);
  CHECK(world.observation() == 50);
  CHECK(world.time_limit() == 9);
}

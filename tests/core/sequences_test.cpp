#include "heed/core/sequences.hpp"

#include "catch.hpp"

using heed::Index;
using heed::Sequences;
using heed::SequencesView;

TEST_CASE("Sequences: none at first") {
  const Sequences s;
  CHECK(s.count() == 0);
  CHECK(s.columns() == 0);
}

TEST_CASE("Sequences: ragged, of length zero, too") {
  const Sequences s{3, 0, 5, 0};
  CHECK(s.count() == 4);
  CHECK(s.columns() == 8);
  const Index first[] = {0, 3, 3, 8}, length[] = {3, 0, 5, 0};
  for (Index i = 0; i < 4; ++i) {
    CHECK(s.first(i) == first[i]);
    CHECK(s.length(i) == length[i]);
  }
}

TEST_CASE("Sequences: a view sees the same") {
  const Sequences s{2, 0, 0, 4, 1};
  const SequencesView view = s;
  CHECK(view.count() == s.count());
  CHECK(view.columns() == s.columns());
  for (Index i = 0; i < s.count(); ++i) {
    CHECK(view.first(i) == s.first(i));
    CHECK(view.length(i) == s.length(i));
  }
  const Index owner[] = {0, 0, 3, 3, 3, 3, 4};
  for (Index column = 0; column < s.columns(); ++column) CHECK(view.sequence_of(column) == owner[column]);
}

TEST_CASE("Sequences: uniform, appended, cleared") {
  Sequences s = Sequences::uniform(3, 2);
  CHECK(s.count() == 3);
  CHECK(s.columns() == 6);
  s.append(5);
  CHECK(s.first(3) == 6);
  CHECK(s.length(3) == 5);
  s.clear();
  CHECK(s.count() == 0);
  CHECK(s.columns() == 0);
  s.append(1);
  CHECK(s.first(0) == 0);
  CHECK(s.columns() == 1);
}

TEST_CASE("Sequences: a negative length is an error and changes nothing") {
  Sequences s{2};
  CHECK_THROWS_WITH(s.append(-3), ContainsSubstring("Sequences: length -3 is negative"));
  CHECK(s.count() == 1);
  CHECK(s.columns() == 2);
  CHECK_THROWS_AS((Sequences{1, -1}), std::invalid_argument);
}

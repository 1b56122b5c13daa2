#include "heed/core/activations.hpp"

#include "catch.hpp"
#include "heed/core/scope.hpp"

using heed::Activations;
using heed::ActivationsView;
using heed::Axis;
using heed::AxisBuffer;
using heed::Index;
using heed::Layout;
using heed::Scope;
using heed::Sequences;

namespace {

template <class A, class B>
bool disjoint(const A& a, const B& b) {
  return a.data() + a.size() <= b.data() || b.data() + b.size() <= a.data();
}

struct Fixture {
  Layout layout;
  Axis time = layout.axis(), entities = layout.axis(time), source = layout.axis();
  heed::Columns<> x = Scope(layout, time).columns(3), y = Scope(layout, time).columns(2);
  heed::Columns<4> fixed = Scope(layout, time).columns<4>();
  heed::Columns<> e = Scope(layout, entities).columns(5);
};

}  // namespace

TEST_CASE_METHOD(Fixture, "Activations: nothing before the first batch") {
  Activations<float> a(layout);
  CHECK(a.columns(time) == 0);
  CHECK(a.sequences(time).count() == 0);
  CHECK(a[x].cols() == 0);
}

TEST_CASE_METHOD(Fixture, "Activations: a column for each of the batch, values and gradients apart") {
  Activations<float> a(layout);
  a.begin(time, {3, 0, 2});
  CHECK(a.columns(time) == 5);
  CHECK(a.sequences(time).count() == 3);
  CHECK(a.sequences(time).length(1) == 0);
  CHECK(a.sequences(time).first(2) == 3);
  CHECK((a[x].rows() == 3 && a[x].cols() == 5));
  CHECK((a.d(y).rows() == 2 && a.d(y).cols() == 5));
  static_assert(decltype(a[fixed])::RowsAtCompileTime == 4);
  CHECK(disjoint(a[x], a[y]));
  CHECK(disjoint(a[y], a[fixed]));
  CHECK(disjoint(a[x], a.d(x)));
  CHECK(disjoint(a.d(x), a.d(y)));

  a[x].setConstant(1);
  a[y].setConstant(2);
  a[fixed].setConstant(3);
  a.d(x).setConstant(4);
  a.d(y).setConstant(5);
  CHECK(a[x] == Eigen::MatrixXf::Constant(3, 5, 1));
  CHECK(a[y] == Eigen::MatrixXf::Constant(2, 5, 2));
  CHECK(a[fixed] == Eigen::MatrixXf::Constant(4, 5, 3));
  CHECK(a.d(x) == Eigen::MatrixXf::Constant(3, 5, 4));
  CHECK(a.d(y) == Eigen::MatrixXf::Constant(2, 5, 5));
}

TEST_CASE_METHOD(Fixture, "Activations: begun with lengths, sequences, a view or a function") {
  Activations<float> a(layout);
  const Sequences s{2, 4};
  a.begin(time, s);
  CHECK(a.columns(time) == 6);
  a.begin(source, a.sequences(time));
  CHECK(a.columns(source) == 6);
  a.begin(time, 3, [](Index i) { return i; });
  CHECK(a.columns(time) == 3);
  CHECK(a.sequences(time).length(2) == 2);
  CHECK(a.columns(source) == 6);
}

TEST_CASE_METHOD(Fixture, "Activations: room for the largest batch is kept") {
  Activations<double> a(layout);
  a.begin(time, {8, 4});
  const double *value = a[x].data(), *gradient = a.d(x).data();
  for (Index columns : {1, 12, 0, 7}) {
    a.begin(time, {columns});
    CHECK(a[x].data() == value);
    CHECK(a.d(x).data() == gradient);
    CHECK(a[y].cols() == columns);
    CHECK(a[y].data() == value + 3 * columns);
    CHECK(a.d(y).data() == gradient + 3 * columns);
  }
  a.begin(time, {1, 1, 1, 1, 1});  // more sequences, fewer columns
  CHECK(a.sequences(time).count() == 5);
  CHECK(a.sequences(time).first(4) == 4);
  a.begin(time, {13});
  a[x].setOnes();
  CHECK(a[x].sum() == 39);
}

TEST_CASE_METHOD(Fixture, "Activations: a view goes on with its owner's growth") {
  Activations<double> a(layout);
  const ActivationsView<double> view = a;
  view.begin(time, Sequences{5});
  CHECK(a.columns(time) == 5);
  a.begin(time, {100});
  CHECK(view.columns(time) == 100);
  CHECK(view[x].data() == a[x].data());
}

TEST_CASE_METHOD(Fixture, "Activations: can be moved") {
  Activations<double> a(layout);
  a.begin(time, {2});
  a[x].setConstant(3);
  Activations<double> b(std::move(a));
  CHECK(b[x] == Eigen::MatrixXd::Constant(3, 2, 3));
  b.begin(time, {50});
  CHECK(b.columns(time) == 50);
  static_assert(!std::is_copy_constructible_v<Activations<double>>);
}

TEST_CASE_METHOD(Fixture, "Activations: sequence i of a child axis belongs to column i of its parent") {
  Activations<float> a(layout);
  a.begin(time, {2, 1});
  a.begin(entities, {4, 0, 1});
  CHECK(a[e].cols() == 5);
  CHECK_THROWS_WITH(a.begin(entities, {4, 1}),
                    ContainsSubstring("axis 1 has 2 sequences, but its parent axis 0 has 3 columns"));
  CHECK(a.columns(entities) == 5);
  a.begin(time, {0, 0});
  a.begin(entities, Sequences{});
  CHECK(a.columns(entities) == 0);

  const Axis parts = layout.axis(entities);
  Activations<float> deep(layout);
  deep.begin(time, {1});
  deep.begin(entities, {1});
  deep.begin(parts, {7});
  deep.begin(time, {1});  // ends what belonged to its former columns, however deep
  CHECK(deep.columns(entities) == 0);
  CHECK(deep.columns(parts) == 0);
}

TEST_CASE_METHOD(Fixture, "Activations: errors") {
  Activations<float> a(layout);
  CHECK_THROWS_WITH(a.begin(time, Sequences{}), ContainsSubstring("an empty batch, axis 0 has no sequences"));
  CHECK_THROWS_WITH(a.begin(Axis{3}, Sequences{1}), ContainsSubstring("axis 3 is not one of its 3"));
  CHECK_THROWS_WITH(a.begin(Axis{}, Sequences{1}), ContainsSubstring("axis -1 is not one of its 3"));
  CHECK_THROWS_WITH(a.columns(Axis{7}), ContainsSubstring("axis 7"));
  CHECK_THROWS_WITH(a.begin(time, {3, -1, 2}), ContainsSubstring("sequence 1 of axis 0 has the length -1"));
  CHECK(a.columns(time) == 0);
}

TEST_CASE("Activations: over static arrays of one's own") {
  Layout layout(false);
  const Axis time = layout.axis(), entities = layout.axis(time);
  const auto x = Scope(layout, time).columns<3>();
  const auto y = Scope(layout, time).columns(1);
  const auto e = Scope(layout, entities).columns(2);

  static Index time_offsets[3], entity_offsets[5];
  static float time_value[4 * 4], time_gradient[4 * 4], entity_value[2 * 6], entity_gradient[2 * 6];
  AxisBuffer<float> axes[] = {{.parent = {},
                               .rows = layout[time].rows,
                               .sequence_capacity = 2,
                               .column_capacity = 4,
                               .offsets = time_offsets,
                               .value = time_value,
                               .gradient = time_gradient},
                              {.parent = time,
                               .rows = layout[entities].rows,
                               .sequence_capacity = 4,
                               .column_capacity = 6,
                               .offsets = entity_offsets,
                               .value = entity_value,
                               .gradient = entity_gradient}};
  const ActivationsView<float> a(axes, 2);

  const Index lengths[] = {0, 1, 4};  // the offsets of sequences of 1 and 3
  a.begin(time, heed::SequencesView(lengths, 2));
  a.begin(entities, 4, [](Index i) { return i % 3; });
  CHECK(a[x].data() == time_value);
  CHECK(a[y].data() == time_value + 3 * 4);
  CHECK(a.d(x).data() == time_gradient);
  CHECK(a[e].data() == entity_value);
  CHECK(a.columns(entities) == 3);
  CHECK(a.sequences(entities).first(3) == 3);

  CHECK_THROWS_WITH(a.begin(time, Sequences{2, 3}),
                    ContainsSubstring("2 sequences of 5 columns on axis 0, but there is room for 2 of 4"));
  CHECK_THROWS_WITH(a.begin(time, Sequences{1, 1, 1}), ContainsSubstring("3 sequences of 3 columns"));
  CHECK(a.columns(time) == 4);
}

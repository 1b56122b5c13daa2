// A file may be as large as the weights that it is for: loading it takes next to no memory of its own.
#include <memory>

#include "allocation.hpp"
#include "heed/io/checkpoint.hpp"
#include "heed/io/safetensors.hpp"
#include "support/files.hpp"

namespace {

constexpr long megabyte = 1 << 20;

/// How many bytes f asks for.
template <class F>
long asked(F f) {
  const long before = allocations::bytes();
  f();
  return allocations::bytes() - before;
}

}  // namespace

TEST_CASE("loading and saving 64 megabytes of weights takes less than one") {
  if (!support::counted()) return;
  const support::Folder folder;
  const auto path = folder / "weights.safetensors", training = folder / "run.ckpt";
  heed::Layout layout;
  const heed::Scope at(layout, layout.axis());
  at.weight<heed::Dynamic, heed::Dynamic>("large", {2048, 4095}, heed::zero());
  at.weight<heed::Dynamic>("small", {2048}, heed::zero());
  heed::Parameters<double> p(layout), q(layout);
  heed::Parameters<float> narrow(layout);
  REQUIRE(p.flat.size() * long(sizeof(double)) == 64 * megabyte);
  p.flat.setLinSpaced(-1, 1);

  CHECK(asked([&] { heed::save(path, layout, p); }) < megabyte);
  CHECK(asked([&] { heed::load(path, layout, q); }) < megabyte);
  CHECK((q.flat.array() == p.flat.array()).all());
  CHECK(asked([&] { heed::load(path, layout, narrow); }) < megabyte);
  CHECK((narrow.flat.array() == p.flat.cast<float>().array()).all());

  q.flat.setZero();
  CHECK(asked([&] { heed::save_checkpoint(training, p); }) < megabyte);
  CHECK(asked([&] { heed::load_checkpoint(training, q); }) < megabyte);
  CHECK((q.flat.array() == p.flat.array()).all());
}

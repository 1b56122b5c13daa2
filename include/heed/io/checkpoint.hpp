#pragma once
#include "heed/io/detail/field_reader.hpp"
#include "heed/io/detail/field_writer.hpp"

namespace heed {

/// Training that goes on where it stopped, in the same bits: all that a trainer has, its agent's weights, moments of
/// the optimizer, statistics, random numbers, environments in the middle of their episodes.
///
///   heed::Ppo trainer(agent, world, config);  // as when it was saved
///   if (std::filesystem::exists("run.ckpt")) heed::load_checkpoint("run.ckpt", trainer);
///   while (trainer.steps() < 1'000'000) {
///     trainer.iterate();
///     heed::save_checkpoint("run.ckpt", trainer);
///   }
///
/// A thing is whatever has fields, see HasFields: trainers, agents, optimizers, normalisers, a Memory, or a struct
/// of one's own. Several go into one file, as 0, 1, ... The file is of the format safetensors; a name is where the
/// thing is found, "agent.head.weight", "rollout.groups.0.lanes.3.random.state". A State is there as its bytes: for
/// the same program on the same kind of machine. Configurations are not there; what was changed in one is to be
/// changed again.
///
/// The file appears complete or not at all, see `save`: training may be killed at any moment. Values that are not
/// finite are an error.
template <HasFields... Things>
void save_checkpoint(const std::filesystem::path& path, Things&&... things) {
  detail::FieldWriter writer(path);
  detail::walk_through(writer, things...);
  writer.write();
}

/// Everything is checked before anything is changed: entries that are missing or unexpected, of another dtype or shape,
/// numbers that are not finite or not those of these things (as of other lanes) are one error. Read
/// as `load` reads: twice, and never much of it at once.
template <HasFields... Things>
void load_checkpoint(const std::filesystem::path& path, Things&&... things) {
  detail::EntryFile file(path);
  detail::FieldChecker checker(file);
  detail::walk_through(checker, things...);
  checker.finish(path);
  detail::FieldReader reader(file);
  detail::walk_through(reader, things...);
}

}  // namespace heed

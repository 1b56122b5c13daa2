#pragma once
#include <cmath>
#include <optional>

#include "heed/core/agent.hpp"
#include "heed/core/attention_weights.hpp"
#include "heed/io/curve_file.hpp"
#include "heed/io/event_file.hpp"

namespace heed {

/// What a training writes as it goes: a CSV file always and, where asked for, event files for TensorBoard.
///
///   heed::TrainingLog log("runs/1/curve.csv", {"steps", "mean_return"});
///   log.events("runs/1");  // TensorBoard, too
///   while (...) {
///     trainer.iterate();
///     log.row({double(trainer.steps()), trainer.mean_return()});
///   }
class TrainingLog {
 public:
  /// Writes the names of the columns, or goes on after the rows that are there.
  TrainingLog(const std::filesystem::path& csv, std::vector<std::string> columns, CurveStart start = CurveStart::anew)
      : curve_(csv, std::move(columns), start) {}

  /// From now on also to a new event file in this directory. Without this call what follows writes none.
  void events(const std::filesystem::path& directory) { events_.emplace(directory); }

  /// A number for each column; the first is the step, a whole number. For TensorBoard each other column is a scalar.
  void row(std::initializer_list<double> numbers) {
    if (const double step = numbers.size() > 0 ? *numbers.begin() : 0;
        !(std::abs(step) < 9e15) || step != std::trunc(step))
      detail::fail("TrainingLog: the step %g is no whole number below 9e15", step);
    curve_.row(numbers);
    for (std::size_t i = 1; i < numbers.size() && events_; ++i)
      events_->scalar(curve_.columns()[i], long(*numbers.begin()), numbers.begin()[i]);
  }
  /// Histograms of the weights, one for each by its name.
  template <class Net>
  void weights(long step, const Agent<Net>& agent) {
    for (const Entry& e : agent.layout.entries())
      if (events_)
        events_->histogram(
            "weights/" + e.name, step,
            std::span<const typename Net::Scalar>(agent.p.flat.data() + e.offset, std::size_t(e.size())));
  }
  /// Histograms of the entropy of attention, one for each layer, over its heads and all queries of what went forward last.
  template <class Net>
  void attention(long step, const Net& net, ParametersView<const typename Net::Scalar> p,
                 ActivationsView<typename Net::Scalar> a) {
    if (!events_) return;
    const std::vector<AttentionLayer> layers = attention_layers(net);
    for (std::size_t i = 0; i < layers.size(); ++i) {
      std::vector<double> all;
      for (Index s = 0; s < a.sequences(layers[i].queries).count(); ++s)
        for (Index head = 0; head < layers[i].heads; ++head) {
          const auto entropies = attention_entropies(attention_weights(net, p, a, Index(i), s, head));
          all.insert(all.end(), entropies.begin(), entropies.end());
        }
      if (!all.empty()) events_->histogram("attention_entropy/" + layers[i].name, step, std::span<const double>(all));
    }
  }

 private:
  CurveWriter curve_;
  std::optional<EventFile> events_;
};

}  // namespace heed

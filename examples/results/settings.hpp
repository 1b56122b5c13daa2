#pragma once
#include <heed/heed.hpp>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

/// Numbers that a configuration file gives, by name: what is not named stays as it is, what nobody asks for is an error.
class Settings {
 public:
  Settings(std::string where, const nlohmann::json& values) : where_(std::move(where)), values_(values) {}

  template <class T>
  void operator()(const char* name, T& value) {
    if (!values_.contains(name)) return;
    value = values_.at(name).get<T>();
    ++used_;
  }
  void operator()(const char* name, heed::Schedule& schedule) {
    using Shape = heed::Schedule::Shape;
    schedule.shape = one_of(name, schedule.shape, {{"constant", Shape::constant}, {"linear", Shape::linear}});
  }
  void operator()(const char* name, heed::Nonlinearity& activation) {
    using heed::Nonlinearity;
    activation = one_of(name, activation, {{"tanh", Nonlinearity::tanh}, {"relu", Nonlinearity::relu}});
  }
  void done() const {
    if (used_ != values_.size())
      throw std::runtime_error(where_ + ": " + values_.dump() + " has a name that nothing here has");
  }

 private:
  template <class T>
  T one_of(const char* name, T otherwise, const std::map<std::string, T>& named) {
    std::string is;
    (*this)(name, is);
    if (is.empty()) return otherwise;
    if (!named.contains(is)) throw std::runtime_error(where_ + ": there is no " + name + " " + is);
    return named.at(is);
  }

  std::string where_;
  const nlohmann::json& values_;
  std::size_t used_ = 0;
};

inline heed::PpoConfig ppo_config(const nlohmann::json& values) {
  heed::PpoConfig c;
  Settings set("ppo", values);
  set("learning_rate", c.learning_rate), set("schedule", c.schedule), set("gamma", c.gamma), set("lambda", c.lambda);
  set("reward_scale", c.reward_scale), set("lanes", c.lanes), set("steps", c.steps), set("epochs", c.epochs);
  set("minibatches", c.minibatches), set("piece", c.piece), set("clip", c.clip), set("entropy", c.entropy);
  set("value", c.value), set("max_gradient_norm", c.max_gradient_norm), set("normalise", c.normalise);
  set("recent", c.recent);
  set.done();
  return c;
}

inline heed::DqnConfig dqn_config(const nlohmann::json& values) {
  heed::DqnConfig c;
  Settings set("dqn", values);
  set("learning_rate", c.learning_rate), set("schedule", c.schedule), set("gamma", c.gamma), set("n_step", c.n_step);
  set("reward_scale", c.reward_scale), set("lanes", c.lanes), set("steps", c.steps), set("batch", c.batch);
  set("epsilon_end", c.epsilon_end), set("epsilon_steps", c.epsilon_steps), set("room", c.room);
  set("learning_starts", c.learning_starts), set("learn_every", c.learn_every), set("target_every", c.target_every);
  set("target_share", c.target_share), set("huber", c.huber), set("priority", c.priority);
  set("double_q", c.double_q), set("max_gradient_norm", c.max_gradient_norm), set("look_back", c.look_back);
  set.done();
  return c;
}

/// The sizes of a network, of those that it has.
template <class Config>
Config network_config(const nlohmann::json& values) {
  Config c;
  Settings set("network", values);
  std::string kind;
  set("network", kind);
  if constexpr (requires { c.window; }) set("window", c.window);
  if constexpr (requires { c.width; }) set("width", c.width);
  if constexpr (requires { c.hidden; }) set("hidden", c.hidden);
  if constexpr (requires { c.heads; }) set("heads", c.heads);
  if constexpr (requires { c.layers; }) set("layers", c.layers);
  if constexpr (requires { c.inner; }) set("inner", c.inner);
  if constexpr (requires { c.sharpness; }) set("sharpness", c.sharpness);
  if constexpr (requires { c.whitening; }) set("whitening", c.whitening);
  if constexpr (requires { c.sinusoidal; }) set("sinusoidal", c.sinusoidal);
  if constexpr (requires { c.dueling; }) set("dueling", c.dueling);
  if constexpr (requires { c.activation; }) set("activation", c.activation);
  if constexpr (requires { c.log_std; }) set("log_std", c.log_std);
  set.done();
  return c;
}

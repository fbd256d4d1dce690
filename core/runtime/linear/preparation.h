// What must happen before rows are multiplied, handed to whoever multiplies them. See Linear::run.
#pragma once

namespace retort::runtime {

/// A view of a function without arguments, which must outlive it, or of none. Allocates nothing.
class Preparation {
 public:
  Preparation() = default;
  template <class Function>
  Preparation(const Function& function)  // NOLINT(google-explicit-constructor): implicit, as that of std::function
      : function_(&function), call_([](const void* called) { (*static_cast<const Function*>(called))(); }) {}

  explicit operator bool() const { return call_ != nullptr; }
  void operator()() const {
    if (call_ != nullptr) call_(function_);
  }

 private:
  const void* function_ = nullptr;
  void (*call_)(const void*) = nullptr;
};

}  // namespace retort::runtime

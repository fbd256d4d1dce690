// See session.h.
#include "template/session.h"

#include <stdexcept>

namespace retort::jinja {

void Session::step(std::size_t count) {
  if (count > limits_.steps - steps_)
    throw std::invalid_argument("expected at most " + std::to_string(limits_.steps) +
                                " steps of evaluation, found more: the template's loops do not end in reasonable time");
  steps_ += count;
}

void Session::produce(std::size_t bytes) {
  if (bytes > limits_.bytes - bytes_)
    throw std::invalid_argument("expected values of at most " + std::to_string(limits_.bytes) +
                                " bytes in total, found more");
  bytes_ += bytes;
  step(bytes / 64);
}

Value Session::text(std::string value) {
  produce(value.size());
  return Value::text(std::move(value));
}

Value Session::markup(std::string value) {
  produce(value.size());
  return Value::markup(std::move(value));
}

Value Session::text_like(const Value& model, std::string value) {
  return model.is_markup() ? markup(std::move(value)) : text(std::move(value));
}

Value Session::list(std::vector<Value> items, Sequence::Kind kind) {
  produce(items.size() * sizeof(Value));
  return make_sequence(kind, std::move(items));
}

}  // namespace retort::jinja

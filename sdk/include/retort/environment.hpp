// Base class of environments (retort.environment-draft/1): worlds that tools act on.
#pragma once

#include <retort/abi/environment.h>

#include <functional>
#include <retort/component.hpp>

namespace retort {

class Environment : public ComponentBase {
 public:
  static constexpr const char* interface_id = RETORT_ENVIRONMENT_INTERFACE;
  virtual std::string tools() const = 0;
  /// Hands each row (one JSON object, no newline) to `row`, at most `count` of them.
  virtual void generate(std::string_view split, std::int64_t count, std::uint64_t seed,
                        const std::function<void(std::string_view)>& row) const = 0;
  virtual std::string execute(std::string_view batches) const = 0;

  const void* table(std::string_view id) const final {
    static const retort_environment_draft1 functions = {sizeof(retort_environment_draft1), 0, &abi_tools, &abi_generate,
                                                        &abi_execute};
    return id == interface_id ? &functions : nullptr;
  }

 private:
  static retort_error* abi_tools(retort_instance* instance, const retort_text_sink* tools) {
    return detail::guarded([&] { detail::write(tools, detail::self<Environment>(instance).tools()); });
  }
  static retort_error* abi_generate(retort_instance* instance, retort_string split, std::int64_t count,
                                    std::uint64_t seed, const retort_text_sink* rows) {
    return detail::guarded([&] {
      detail::self<Environment>(instance).generate(to_view(split), count, seed, [&](std::string_view row) {
        detail::write(rows, row);
        detail::write(rows, "\n");
      });
    });
  }
  static retort_error* abi_execute(retort_instance* instance, retort_string batches, const retort_text_sink* outcomes) {
    return detail::guarded(
        [&] { detail::write(outcomes, detail::self<Environment>(instance).execute(to_view(batches))); });
  }
};

}  // namespace retort
